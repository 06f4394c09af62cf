/** Owns asking the base and the trained model the same question, their answers side by side as they are written. */
import { Button, Group, NativeSelect, Stack, Text, TextInput, Title } from "@mantine/core";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { useTranslation } from "react-i18next";
import { isAbort } from "@/shared/api/client";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Markdown } from "@/shared/components/Markdown";
import { answerOf } from "./compare";
import { useCheckpoints } from "./jobs";
import type { Job } from "./wire";

interface Answer {
  text: string;
  writing: boolean;
  error: unknown;
}

const NONE: Answer = { text: "", writing: false, error: null };

export function TryOut({ job, made }: { job: Job; made: string }) {
  const { t } = useTranslation();
  const checkpoints = useCheckpoints(job.id).data ?? [];
  const [question, setQuestion] = useState("");
  const [model, setModel] = useState(made);
  const base = useAnswer();
  const trained = useAnswer();
  const busy = base.answer.writing || trained.answer.writing;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (busy || !question.trim()) return;
    base.ask(job.model, question.trim());
    trained.ask(model, question.trim());
  };
  const stop = () => { base.stop(); trained.stop(); };
  return (
    <section aria-label={t("training.tryOut")} data-try-out>
      <Title order={3} fz={15}>{t("training.tryOut")}</Title>
      <Text size="sm" c="dimmed" mb="xs">{t("training.tryOutText")}</Text>
      <form onSubmit={submit}>
        <Group gap="sm" align="flex-end">
          <TextInput flex="3 1 240px" label={t("training.question")} value={question} autoComplete="off" onChange={(event) => setQuestion(event.target.value)} />
          {checkpoints.length > 0 && (
            <NativeSelect flex="1 1 150px" label={t("training.which")} value={model} onChange={(event) => setModel(event.target.value)}
              data={[{ value: made, label: t("training.final") }, ...checkpoints.map((one) => ({ value: one.fine_tuned_model_checkpoint, label: t("training.checkpoint", { step: one.step_number }) }))]} />
          )}
          {busy ? <Button variant="default" onClick={stop}>{t("chat.stop")}</Button> : <Button type="submit" disabled={!question.trim()}>{t("training.askBoth")}</Button>}
        </Group>
      </form>
      <div className="columns" style={{ marginTop: 12 }}>
        <AnswerCard title={t("training.baseAnswer")} which="base" answer={base.answer} />
        <AnswerCard title={t("training.trainedAnswer")} which="trained" answer={trained.answer} />
      </div>
    </section>
  );
}

function AnswerCard({ title, which, answer: { text, writing, error } }: { title: string; which: string; answer: Answer }) {
  const { t } = useTranslation();
  return (
    <Stack gap={6} className="card result" role="group" aria-label={title} data-answer-of={which}>
      <Text size="sm" fw={600}>{title}</Text>
      <div aria-live="polite" aria-busy={writing}>{text ? <Markdown text={text} /> : <Text size="sm" c="dimmed">{writing ? t("chat.thinking") : t("training.noAnswer")}</Text>}</div>
      {error !== null && <ErrorNotice error={error} />}
    </Stack>
  );
}

function useAnswer() {
  const [answer, setAnswer] = useState(NONE);
  const controller = useRef<AbortController | null>(null);
  useEffect(() => () => controller.current?.abort(), []);
  const ask = async (model: string, question: string) => {
    controller.current?.abort();
    const mine = (controller.current = new AbortController());
    setAnswer({ ...NONE, writing: true });
    let error: unknown = null;
    try {
      for await (const piece of answerOf(model, question, mine.signal)) setAnswer((now) => ({ ...now, text: now.text + piece }));
    } catch (reason) {
      if (!isAbort(reason)) error = reason;
    }
    if (controller.current === mine) setAnswer((now) => ({ ...now, writing: false, error }));
  };
  return { answer, ask: (model: string, question: string) => void ask(model, question), stop: () => controller.current?.abort() };
}
