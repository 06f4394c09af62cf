/** Owns how a failure looks: one sentence, the server's detail where it helps, and another try. */
import { Alert, Button, Group, Text } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { asApiError, describeError } from "../api/errors";
import { Icon } from "./Icon";

const RETRY_S = 5;

export function useErrorText() {
  const { t, i18n } = useTranslation();
  return (error: unknown) => describeError(error, t, (key) => i18n.exists(key));
}

export function ErrorNotice({ error, onRetry, onClose }: { error: unknown; onRetry?: () => void; onClose?: () => void }) {
  const { t } = useTranslation();
  const { title, detail } = useErrorText()(error);
  const known = asApiError(error);
  return (
    <Alert className="notice" data-transient={known.transient || undefined} variant="default" icon={<Icon name="alert" />} role="alert"
      withCloseButton={Boolean(onClose)} onClose={onClose} closeButtonLabel={t("common.close")}>
      <Text size="sm">{title}</Text>
      {detail && <Text size="xs" c="dimmed" mt={2} className="wrap">{detail}</Text>}
      {onRetry && (
        <Group gap="sm" mt="xs">
          <Button size="compact-sm" variant="default" onClick={onRetry}>{t("common.retry")}</Button>
          {known.transient && <Countdown key={known.message} seconds={known.retryAfterS ?? RETRY_S} onZero={onRetry} />}
        </Group>
      )}
    </Alert>
  );
}

/** Tries again by itself, but not in a window nobody looks at. */
function Countdown({ seconds, onZero }: { seconds: number; onZero: () => void }) {
  const { t } = useTranslation();
  const [left, setLeft] = useState(Math.ceil(seconds));
  useEffect(() => {
    const timer = setInterval(() => document.hidden || setLeft((now) => now - 1), 1000);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    if (left === 0) onZero();
    // Only reaching zero counts; a new closure must not fire again.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [left]);
  return left > 0 ? <Text size="xs" c="dimmed">{t("common.retryIn", { count: left })}</Text> : null;
}
