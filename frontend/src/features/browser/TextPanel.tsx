/** Owns text written in the browser: the request, the answer as it comes, and how its words are chosen. */
import { Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatNumber } from "@/shared/format";
import { load, save } from "@/shared/storage";
import { engine } from "./engine";
import { ModelBar, useChoice } from "./ModelBar";
import { withinBounds } from "./sampling";
import { SamplingForm } from "./SamplingForm";
import { STOPPED, type BrowserModel, type Sampling, type Written } from "./wire";

export function TextPanel() {
  const { t } = useTranslation();
  const choice = useChoice("text");
  const { model } = choice;
  const [prompt, setPrompt] = useState("");
  const [sampling, setSampling] = useState(() => withinBounds(load<Partial<Sampling>>("browser-sampling", {})));
  const writing = useWriting();
  const change = (part: Partial<Sampling>) => {
    const next = withinBounds({ ...sampling, ...part });
    save("browser-sampling", next);
    setSampling(next);
  };
  const run = (text: string) => void writing.run(model, text, sampling);
  const submit = (event: FormEvent) => { event.preventDefault(); run(prompt); };
  const keyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    if (prompt.trim() && !writing.busy) run(prompt);
  };
  return (
    <Stack gap="md">
      <ModelBar task="text" choice={choice} />
      <div className="columns browser-write">
        <div className="card">
          <form onSubmit={submit}>
            <Textarea label={t("browser.prompt")} placeholder={t("browser.promptHint")} autosize minRows={2} maxRows={8} value={prompt} onKeyDown={keyDown} onChange={(event) => setPrompt(event.target.value)} />
            <Group justify="flex-end" mt="sm">
              {writing.busy
                ? <Button variant="default" leftSection={<Icon name="stop" size={16} />} onClick={() => engine.stop()}>{t("chat.stop")}</Button>
                : <Button type="submit" disabled={!prompt.trim()} leftSection={<Icon name="sparkle" />}>{t("browser.write")}</Button>}
            </Group>
          </form>
          {writing.error !== null && <ErrorNotice error={writing.error} onRetry={() => run(prompt)} />}
          {writing.shown === null
            ? <EmptyState icon="browser" title={t("browser.textTitle")} examples={t("browser.examples", { returnObjects: true }) as string[]} onExample={(example) => { setPrompt(example); run(example); }} />
            : <Answer text={writing.shown} written={writing.written} />}
        </div>
        <div className="card"><SamplingForm sampling={sampling} onChange={change} /></div>
      </div>
    </Stack>
  );
}

function Answer({ text, written }: { text: string; written: Written | null }) {
  const { t, i18n } = useTranslation();
  const told = written && [
    t("chat.tokens", { count: written.tokens, shown: formatNumber(written.tokens, i18n.language) }),
    t("chat.speed", { speed: formatNumber(written.tokensPerSecond, i18n.language, 1) }), written.stopped ? t("chat.stopped") : "",
  ].filter(Boolean).join(" · ");
  return (
    <div className="browser-answer" data-done={written !== null || undefined}>
      <Text className="pre-wrap result-text" aria-live="polite">{text || "…"}</Text>
      {told && <Text size="xs" c="dimmed" mt="xs">{told}</Text>}
    </div>
  );
}

function useWriting() {
  const [shown, setShown] = useState<string | null>(null);
  const [written, setWritten] = useState<Written | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const running = useRef(false);
  const run = async (model: BrowserModel, prompt: string, sampling: Sampling) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setError(null);
    setWritten(null);
    setShown("");
    try {
      await engine.have(model);
      const whole = await engine.write([{ role: "user", content: prompt.trim() }], sampling, setShown);
      setShown(whole.text);
      setWritten(whole);
    } catch (reason) {
      setShown(null);
      if ((reason as { code?: string }).code !== STOPPED) setError(reason);
    } finally {
      running.current = false;
      setBusy(false);
    }
  };
  return { shown, written, error, busy, run };
}
