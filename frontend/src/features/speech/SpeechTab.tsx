/** Owns the speech tab: a text, a voice, a player. */
import { Button, Group, Select, Slider, Stack, Text, Textarea } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { speak, useVoices, voiceFor } from "@/shared/api/speech";
import { AudioPlayer } from "@/shared/components/AudioPlayer";
import { EmptyState } from "@/shared/components/EmptyState";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { ListSelect } from "@/shared/components/ListSelect";
import { Page } from "@/shared/components/Page";
import { formatNumber } from "@/shared/format";
import { grouped, voiceName } from "./voices";

const FORMATS = ["wav", "mp3", "opus", "flac"];

interface Spoken {
  url: string;
  text: string;
  voice: string;
  format: string;
}

export default function SpeechTab() {
  const { t, i18n } = useTranslation();
  const voices = useVoices();
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const [speed, setSpeed] = useState(1);
  const [format, setFormat] = useState("wav");
  const [spoken, setSpoken] = useState<Spoken[]>([]);
  const voice = voices.data?.find((one) => one.id === chosen) ?? voiceFor(voices.data ?? [], i18n.language) ?? voices.data?.[0];
  const say = useMutation({
    mutationFn: async () => {
      const content = await speak({ input: text.trim(), voice: voice?.id, speed, response_format: format });
      return { url: URL.createObjectURL(content), text: text.trim(), voice: voice ? voiceName(voice, i18n.language, t) : "", format };
    },
    onSuccess: (one) => setSpoken((all) => [one, ...all].slice(0, 10)),
  });
  const run = () => { if (text.trim()) say.mutate(); };
  return (
    <Page title={t("tabs.speech")} text={t("speech.text")}>
      <Stack gap="md">
        <div className="card">
          <Stack gap="md">
            <Textarea label={t("speech.input")} placeholder={t("speech.placeholder")} autosize minRows={4} maxRows={14} value={text} onChange={(event) => setText(event.target.value)} />
            <div className="speech-options">
              <ListSelect from={voices} count={voices.data?.length ?? 0} service="tts" label={t("speech.voice")} searchable allowDeselect={false} value={voice?.id ?? null} data={grouped(voices.data ?? [], i18n.language, t)} onChange={setChosen} />
              <Select label={t("speech.format")} allowDeselect={false} value={format} data={FORMATS} onChange={(value) => setFormat(value ?? "wav")} />
              <div>
                <Text size="sm" fw={500} mb={10}>{t("speech.speed", { speed: formatNumber(speed, i18n.language, 2) })}</Text>
                <Slider min={0.5} max={2} step={0.05} value={speed} onChange={setSpeed} label={null} thumbLabel={t("speech.speedLabel")} marks={[{ value: 1 }]} />
              </div>
            </div>
            <Group justify="flex-end"><Button onClick={run} loading={say.isPending} disabled={!text.trim()} leftSection={<Icon name="speech" />}>{t("speech.run")}</Button></Group>
          </Stack>
        </div>
        {say.error && <ErrorNotice error={say.error} onRetry={run} />}
        {spoken.length === 0 && <EmptyState icon="speech" title={t("speech.emptyTitle")} examples={t("speech.examples", { returnObjects: true }) as unknown as string[]} onExample={setText} />}
        {spoken.map((one, index) => (
          <article key={one.url} className="card">
            <Text size="sm" lineClamp={3} mb={4} className="pre-wrap">{one.text}</Text>
            <Text size="xs" c="dimmed" mb="xs">{one.voice} · {one.format}</Text>
            <AudioPlayer src={one.url} name={`oficina.${one.format}`} autoPlay={index === 0} />
          </article>
        ))}
      </Stack>
    </Page>
  );
}
