/** Owns the translate tab. */
import { ActionIcon, Button, Group, Loader, Text, Textarea, Tooltip } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState, type KeyboardEvent } from "react";
import { useTranslation } from "react-i18next";
import { api } from "@/shared/api/client";
import { askedAgain } from "@/shared/api/lists";
import { speak, useVoices, voiceFor } from "@/shared/api/speech";
import { AudioPlayer } from "@/shared/components/AudioPlayer";
import { CopyButton } from "@/shared/components/CopyButton";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { ListSelect } from "@/shared/components/ListSelect";
import { Page } from "@/shared/components/Page";
import { languageName } from "@/shared/format";
import { sourcesOf, targetsOf, type Direction, type Directions } from "./directions";

interface Translation extends Direction {
  text: string;
}

const AUTO = "auto";

export default function TranslateTab() {
  const { t, i18n } = useTranslation();
  const [text, setText] = useState("");
  const [source, setSource] = useState(AUTO);
  const [target, setTarget] = useState(i18n.language === "en" ? "pt" : "en");
  const pairs = useQuery({ queryKey: ["translation-languages"], queryFn: () => api<Directions>("/v1/translations/languages"), refetchInterval: ({ state }) => askedAgain({ ...state, data: undefined }, {}) });
  const known = pairs.data ?? {};
  const translate = useMutation({
    mutationFn: async (body: { text: string; source: string; target: string }) =>
      (await api<{ translations: Translation[] }>("/v1/translations", { method: "POST", json: body })).translations[0]!,
  });
  const options = (codes: string[]) =>
    codes.map((code) => ({ value: code, label: languageName(code, i18n.language) })).sort((a, b) => a.label.localeCompare(b.label, i18n.language));
  const sources = sourcesOf(known);
  const targets = targetsOf(known, source === AUTO ? null : source);
  const result = translate.data;
  const run = (input = text, from = source, to = target) => { if (input.trim()) translate.mutate({ text: input, source: from, target: to }); };
  const chooseSource = (value: string | null) => {
    const next = value ?? AUTO;
    setSource(next);
    const reachable = targetsOf(known, next);
    if (next !== AUTO && !reachable.includes(target) && reachable[0]) setTarget(reachable[0]);
  };
  const swap = () => {
    const from = source === AUTO ? (result?.source ?? (target === "pt" ? "en" : "pt")) : source;
    setSource(target);
    setTarget(from);
    setText(result?.text ?? text);
    if (result) run(result.text, target, from);
  };
  const keyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run();
  };
  return (
    <Page title={t("tabs.translate")} text={t("translate.text")}>
      <div className="translate-bar">
        <ListSelect from={pairs} count={sources.length} label={t("translate.from")} searchable allowDeselect={false} value={source} onChange={chooseSource}
          data={[{ value: AUTO, label: t("translate.detect") }, ...options(sources)]} />
        <Tooltip label={t("translate.swap")}>
          <ActionIcon variant="default" size={36} onClick={swap} aria-label={t("translate.swap")}><Icon name="swap" /></ActionIcon>
        </Tooltip>
        <ListSelect from={pairs} count={sources.length} label={t("translate.to")} searchable allowDeselect={false} value={target} onChange={(value) => setTarget(value ?? target)}
          data={options(targets.length > 0 ? targets : [target])} />
      </div>
      <div className="columns">
        <div className="card">
          <Textarea aria-label={t("translate.input")} placeholder={t("translate.placeholder")} variant="unstyled" autosize minRows={7} maxRows={18} value={text}
            onChange={(event) => setText(event.target.value)} onKeyDown={keyDown} />
          <Group justify="space-between" mt="xs">
            <Text size="xs" c="dimmed">{t("translate.hint")}</Text>
            <Button onClick={() => run()} loading={translate.isPending} disabled={!text.trim()}>{t("translate.run")}</Button>
          </Group>
        </div>
        <div className="card result" aria-live="polite" aria-busy={translate.isPending} data-result>
          {translate.isPending ? <Loader size="sm" /> : translate.error ? <ErrorNotice error={translate.error} onRetry={() => run()} />
            : result ? <Result key={result.text} result={result} /> : <Text c="dimmed">{t("translate.empty")}</Text>}
        </div>
      </div>
      {!text && !result && (
        <EmptyState icon="translate" title={t("translate.emptyTitle")} examples={t("translate.examples", { returnObjects: true }) as unknown as string[]} onExample={setText} />
      )}
    </Page>
  );
}

function Result({ result }: { result: Translation }) {
  const { t, i18n } = useTranslation();
  const voices = useVoices().data ?? [];
  const speech = useMutation({
    mutationFn: async () => URL.createObjectURL(await speak({ input: result.text, voice: voiceFor(voices, result.target)?.id, response_format: "wav" })),
  });
  return (
    <>
      <div className="pre-wrap result-text">{result.text}</div>
      <Group gap="xs" mt="sm">
        <CopyButton text={result.text} size="md" />
        <Tooltip label={t("translate.speak")}>
          <ActionIcon variant="subtle" color="gray" onClick={() => speech.mutate()} loading={speech.isPending} aria-label={t("translate.speak")}><Icon name="speech" /></ActionIcon>
        </Tooltip>
        <Text size="xs" c="dimmed">{languageName(result.source, i18n.language)} → {languageName(result.target, i18n.language)}{result.model ? ` · ${result.model}` : ""}</Text>
      </Group>
      {speech.error && <ErrorNotice error={speech.error} onRetry={() => speech.mutate()} />}
      {speech.data && <AudioPlayer src={speech.data} name="oficina.wav" autoPlay />}
    </>
  );
}
