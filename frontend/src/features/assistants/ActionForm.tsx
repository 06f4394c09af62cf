/** Owns answering the function calls that a run waits for. */
import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import type { FunctionCall } from "./wire";

interface Props {
  calls: FunctionCall[];
  onSubmit: (outputs: { tool_call_id: string; output: string }[]) => void;
}

export function ActionForm({ calls, onSubmit }: Props) {
  const { t } = useTranslation();
  const [answers, setAnswers] = useState<Record<string, string>>({});
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit(calls.map(({ id }) => ({ tool_call_id: id, output: answers[id] ?? "" })));
  };
  return (
    <form className="card" onSubmit={submit} aria-label={t("assistants.action")}>
      <Stack gap="sm">
        <Text size="sm" fw={600}>{t("assistants.action")}</Text>
        {calls.map((call) => (
          <Textarea key={call.id} label={call.function.name} description={call.function.arguments} autosize minRows={1} maxRows={6} required
            value={answers[call.id] ?? ""} onChange={(event) => setAnswers({ ...answers, [call.id]: event.target.value })} />
        ))}
        <Group justify="flex-end"><Button type="submit" size="xs" disabled={calls.some(({ id }) => !answers[id])}>{t("assistants.answer")}</Button></Group>
      </Stack>
    </form>
  );
}
