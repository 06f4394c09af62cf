/** Owns the pixels of a picture in numbers and drawings. */
import { Button, SimpleGrid, Stack, Table, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatNumber } from "@/shared/format";
import { dominantOf, histogramOf, meanOf, sizeOf, type Analysis, type Channels } from "./analysis";
import { look, type Source } from "./source";

const CHANNEL_COLOURS: Record<keyof Channels, string> = { r: "#e03131", g: "#2f9e44", b: "#1971c2" };
const CHANNELS = Object.keys(CHANNEL_COLOURS) as (keyof Channels)[];

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
  const mean = meanOf(analysis);
  const histogram = histogramOf(analysis);
  const number = (value: number) => formatNumber(value, i18n.language, 2);
  return (
    <Stack gap="md">
      <Table fz="sm" verticalSpacing={6}>
        <Table.Tbody>
          <Table.Tr><Table.Td c="dimmed">{t("vision.size")}</Table.Td><Table.Td>{sizeOf(analysis)}</Table.Td></Table.Tr>
          <Table.Tr><Table.Td c="dimmed">{t("vision.mode")}</Table.Td><Table.Td>{analysis.mode ?? "–"}</Table.Td></Table.Tr>
          <Table.Tr><Table.Td c="dimmed">{t("vision.meanAll")}</Table.Td><Table.Td>{mean.all === null ? "–" : number(mean.all)}</Table.Td></Table.Tr>
        </Table.Tbody>
      </Table>
      {mean.channels && (
        <ul className="scores">
          {CHANNELS.map((channel) => (
            <li key={channel}>
              <Text size="sm">{t(`vision.channel.${channel}`)}</Text>
              <svg className="mean-bar" viewBox="0 0 255 8" preserveAspectRatio="none" aria-hidden="true"><rect width={mean.channels![channel]} height="8" fill={CHANNEL_COLOURS[channel]} /></svg>
              <Text size="xs" c="dimmed" ta="right">{number(mean.channels![channel])}</Text>
            </li>
          ))}
        </ul>
      )}
      {histogram && <Histogram channels={histogram} label={t("vision.histogram")} />}
      <Dominant analysis={analysis} />
    </Stack>
  );
}

function Histogram({ channels, label }: { channels: Record<keyof Channels, number[]>; label: string }) {
  const most = Math.max(1, ...CHANNELS.flatMap((channel) => channels[channel]));
  const path = (bins: number[]) => {
    // Square roots, so that one flat background does not flatten everything else.
    const points = bins.map((count, index) => `${((256 * (index + 0.5)) / bins.length).toFixed(1)},${(100 - 96 * Math.sqrt(count / most)).toFixed(1)}`);
    return `M0,100 L${points.join(" L")} L256,100 Z`;
  };
  return (
    <div>
      <Text size="sm" fw={600} mb={4}>{label}</Text>
      <svg className="histogram" viewBox="0 0 256 100" preserveAspectRatio="none" role="img" aria-label={label}>
        {CHANNELS.map((channel) => <path key={channel} d={path(channels[channel])} fill={CHANNEL_COLOURS[channel]} fillOpacity={0.35} stroke={CHANNEL_COLOURS[channel]} strokeWidth={0.8} />)}
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
          <div key={hex} className="swatch"><span style={{ background: hex }} /><Text size="xs">{hex}{share === null ? "" : ` · ${formatNumber(100 * share, i18n.language)} %`}</Text></div>
        ))}
      </SimpleGrid>
    </div>
  );
}
