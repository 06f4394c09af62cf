/** Owns the login form. */
import { Button, Divider, Paper, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Preferences } from "./Preferences";
import { useLoginMethods } from "./useAuth";

interface Props {
  onLogin: (username: string, password: string) => Promise<void>;
  /** Why the reader is here, if a link failed; null else. */
  reason: unknown;
}

export function LoginPage({ onLogin, reason }: Props) {
  const { t } = useTranslation();
  const [username, setUsername] = useState("");
  const [password, setPassword] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(reason);
  const provider = useLoginMethods()?.oidc;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    await onLogin(username, password).catch(setError);
    setBusy(false);
  };
  return (
    <main className="login">
      <Paper component="form" onSubmit={submit} withBorder p="xl" radius="lg" w="100%" maw={400}>
        <Stack gap="md">
          <div>
            <img src="/icon.svg" alt="" width={40} height={40} />
            <Title order={1} fz={24} mt="sm">Oficina</Title>
            <Text size="sm" c="dimmed">{t("login.text")}</Text>
          </div>
          <TextInput label={t("login.username")} name="username" autoComplete="username" required data-autofocus
            value={username} onChange={(event) => setUsername(event.target.value)} />
          <PasswordInput label={t("login.password")} name="password" autoComplete="current-password" required
            value={password} onChange={(event) => setPassword(event.target.value)}
            visibilityToggleButtonProps={{ "aria-label": t("login.show") }} />
          {error !== null && <ErrorNotice error={error} />}
          <Button type="submit" loading={busy}>{t("login.submit")}</Button>
          {provider && (
            <>
              <Divider label={t("login.or")} />
              <Button component="a" href="/auth/oidc/login" variant="default">{t("login.with", { name: provider.name })}</Button>
            </>
          )}
          <Text size="xs" c="dimmed">{t("login.hint")}</Text>
        </Stack>
      </Paper>
      <div className="login-preferences"><Preferences /></div>
    </main>
  );
}
