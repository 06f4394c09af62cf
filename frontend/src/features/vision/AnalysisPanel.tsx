/** Owns the pixels of a picture in numbers and drawings. */
import { Button, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatNumber } from "@/shared/format";
import { CHANNELS, dominantOf, histogramPath, type Analysis, type Channel } from "./analysis";
import { look, type Source } from "@/shared/source";

const CHANNEL_COLOURS: Record<Channel, string> = { red: "#e03131", green: "#2f9e44", blue: "#1971c2" };

export function AnalysisPanel({ source }: { source: Source }) {
  const { t } = useTranslation();
  const analyse = useMutation({ mutationFn: () => look<Analysis>("analysis", source) });
  return (
    <Stack gap="md">
      <Button onClick={() => analyse.mutate()} loading={analyse.isPending} leftSection={<Icon name="status" size={16} />}>{t("vision.analyse")}</Button>
      {analyse.error && <ErrorNotice error={analyse.error} onRetry={() => analyse.mutate()} />}
      {analyse.data ? <Result analysis={analyse.data} /> : <Text size="sm" c="dimmed">{t("vision.analyseHint")}</Text>}
    </Stack>
  );
}

function Result({ analysis }: { analysis: Analysis }) {
  const { t, i18n } = useTranslation();
  const number = (value: number) => formatNumber(value, i18n.language, 2);
  return (
    <Stack gap="md">
      <Table fz="sm" verticalSpacing={6}>
        <Table.Tbody>
          <Table.Tr><Table.Td c="dimmed">{t("vision.size")}</Table.Td><Table.Td>{`${analysis.width} × ${analysis.height}`}</Table.Td></Table.Tr>
          <Table.Tr><Table.Td c="dimmed">{t("vision.mode")}</Table.Td><Table.Td>{[analysis.mode, analysis.format].filter(Boolean).join(" · ")}</Table.Td></Table.Tr>
          <Table.Tr><Table.Td c="dimmed">{t("vision.meanAll")}</Table.Td><Table.Td>{number(analysis.mean)}</Table.Td></Table.Tr>
        </Table.Tbody>
      </Table>
        <ul className="scores">
          {CHANNELS.map((channel) => (
            <li key={channel}>
              <Text size="sm">{t(`vision.channel.${channel}`)}</Text>
              <svg className="mean-bar" viewBox="0 0 255 8" preserveAspectRatio="none" aria-hidden="true"><rect width={analysis.channel_means[channel]} height="8" fill={CHANNEL_COLOURS[channel]} /></svg>
              <Text size="xs" c="dimmed" ta="right">{number(analysis.channel_means[channel])}</Text>
            </li>
          ))}
        </ul>
      <Histogram channels={analysis.histogram} label={t("vision.histogram")} />
      <Dominant analysis={analysis} />
    </Stack>
  );
}

function Histogram({ channels, label }: { channels: Analysis["histogram"]; label: string }) {
  const most = Math.max(...CHANNELS.flatMap((channel) => channels[channel]));
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>{label}</Text>
      <svg className="histogram" viewBox="0 0 256 100" preserveAspectRatio="none" role="img" aria-label={label}>
        {CHANNELS.map((channel) => <path key={channel} d={histogramPath(channels[channel], most)} fill={CHANNEL_COLOURS[channel]} fillOpacity={0.35} stroke={CHANNEL_COLOURS[channel]} strokeWidth={0.8} />)}
      </svg>
    </div>
  );
}

function Dominant({ analysis }: { analysis: Analysis }) {
  const { t, i18n } = useTranslation();
  const colours = dominantOf(analysis);
  if (colours.length === 0) return null;
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>{t("vision.dominant")}</Text>
      <SimpleGrid cols={{ base: 2, xs: 3 }} spacing="xs">
        {colours.map(({ hex, share }) => (
          <div key={hex} className="swatch"><span style={{ background: hex }} /><Text size="xs">{hex} · {formatNumber(100 * share, i18n.language)} %</Text></div>
        ))}
      </SimpleGrid>
    </div>
  );
}
