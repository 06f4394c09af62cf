/** Owns API keys: made and shown once, listed, revoked. */
import { ActionIcon, Alert, Button, Code, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { CopyButton } from "@/shared/components/CopyButton";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatDate } from "@/shared/format";

interface ApiKey {
  id: string;
  name: string;
  prefix?: string;
  scopes?: string[];
  created_at?: string | number;
}

interface NewKey extends ApiKey {
  key: string;
}

export function KeysDialog({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const keys = useQuery({ queryKey: ["keys"], enabled: opened, queryFn: fetchKeys });
  const refresh = () => queries.invalidateQueries({ queryKey: ["keys"] });
  const create = useMutation({
    mutationFn: () => api<NewKey>("/auth/keys", { method: "POST", json: { name: name.trim() } }),
    onSuccess: async () => { setName(""); await refresh(); },
  });
  const revoke = useMutation({ mutationFn: (id: string) => api(`/auth/keys/${id}`, { method: "DELETE" }), onSuccess: refresh });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) create.mutate();
  };
  const close = () => { create.reset(); onClose(); };
  const fresh = create.data?.key;
  const error = create.error ?? revoke.error ?? keys.error;
  return (
    <Modal opened={opened} onClose={close} title={t("account.keys")} size="lg" closeButtonProps={{ "aria-label": t("common.close") }}>
      <Stack>
        <Text size="sm" c="dimmed">{t("account.keysText")}</Text>
        <form onSubmit={submit}>
          <Group align="flex-end">
            <TextInput flex={1} label={t("account.keyName")} value={name} maxLength={80} onChange={(event) => setName(event.target.value)} />
            <Button type="submit" loading={create.isPending} disabled={!name.trim()}>{t("account.create")}</Button>
          </Group>
        </form>
        {error && <ErrorNotice error={error} />}
        {fresh && (
          <Alert variant="light" title={t("account.once")}>
            <Group wrap="nowrap" gap="xs"><Code className="wrap">{fresh}</Code><CopyButton text={fresh} /></Group>
          </Alert>
        )}
        {keys.data?.length === 0 && <Text size="sm" c="dimmed">{t("account.noKeys")}</Text>}
        {keys.data?.map((key) => <KeyRow key={key.id} apiKey={key} onRevoke={() => revoke.mutate(key.id)} />)}
      </Stack>
    </Modal>
  );
}

async function fetchKeys(): Promise<ApiKey[]> {
  const answer = await api<{ keys: ApiKey[] }>("/auth/keys");
  return answer.keys;
}

function KeyRow({ apiKey, onRevoke }: { apiKey: ApiKey; onRevoke: () => void }) {
  const { t, i18n } = useTranslation();
  return (
    <Group justify="space-between" wrap="nowrap" className="row">
      <div>
        <Text size="sm" fw={500}>{apiKey.name}</Text>
        <Text size="xs" c="dimmed">{[apiKey.prefix && `${apiKey.prefix}…`, formatDate(apiKey.created_at, i18n.language)].filter(Boolean).join(" · ")}</Text>
      </div>
      <ActionIcon variant="subtle" color="red" onClick={onRevoke} aria-label={t("account.revoke", { name: apiKey.name })}>
        <Icon name="trash" />
      </ActionIcon>
    </Group>
  );
}
