/** Owns boxes over a picture and the classes of a picture. */
import { Button, Group, Progress, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ErrorNotice } from "@/shared/components/ErrorNotice";
import { Icon } from "@/shared/components/Icon";
import { formatNumber } from "@/shared/format";
import { look, type Source } from "@/shared/source";
import type { Choosing } from "./choosing";
import { ModelPicker } from "./ModelPicker";

export interface Detections {
  detections: { label: string; score: number; box: [number, number, number, number] }[];
  width?: number;
  height?: number;
  model?: string;
}

interface Classifications {
  classifications: { label: string; score: number }[];
  model?: string;
}

export const BOX_COLOURS = ["#e8590c", "#1c7ed6", "#9c36b5", "#2b8a3e", "#c2255c", "#a17a00", "#0b7285", "#5f3dc4"];

interface Props {
  source: Source;
  choosing: Choosing;
  onFound: (found: Detections) => void;
}

export function DetectPanel({ source, choosing, onFound }: Props) {
  const { t } = useTranslation();
  const detect = useMutation({ mutationFn: () => look<Detections>("detections", source, choosing.field("detection")), onSuccess: onFound });
  const classify = useMutation({ mutationFn: () => look<Classifications>("classifications", source, choosing.field("classification")) });
  const found = detect.data?.detections;
  const classes = classify.data?.classifications;
  return (
    <Stack gap="md">
      <ModelPicker task="detection" choosing={choosing} />
      <ModelPicker task="classification" choosing={choosing} />
      <Group gap="xs">
        <Button flex="1 1 auto" onClick={() => detect.mutate()} loading={detect.isPending} leftSection={<Icon name="search" size={16} />}>{t("vision.detect")}</Button>
        <Button flex="1 1 auto" variant="default" onClick={() => classify.mutate()} loading={classify.isPending}>{t("vision.classify")}</Button>
      </Group>
      {detect.error && <ErrorNotice error={detect.error} onRetry={() => detect.mutate()} />}
      {classify.error && <ErrorNotice error={classify.error} onRetry={() => classify.mutate()} />}
      {found && <Scores title={t("vision.found", { count: found.length })} rows={found} model={detect.data?.model} coloured />}
      {classes && <Scores title={t("vision.classes")} rows={classes} model={classify.data?.model} />}
      {!found && !classes && <Text size="sm" c="dimmed">{t("vision.detectHint")}</Text>}
    </Stack>
  );
}

interface ScoresProps {
  title: string;
  rows: { label: string; score: number }[];
  model: string | undefined;
  coloured?: boolean;
}

function Scores({ title, rows, model, coloured = false }: ScoresProps) {
  const { i18n } = useTranslation();
  return (
    <div>
      <Text size="sm" fw={600} mb="xs">{title}</Text>
      <ul className="scores">
        {rows.map((row, index) => (
          <li key={index}>
            <Text size="sm" className="wrap">{row.label}</Text>
            <Progress value={100 * row.score} color={coloured ? BOX_COLOURS[index % BOX_COLOURS.length] : undefined} aria-label={row.label} />
            <Text size="xs" c="dimmed" ta="right">{formatNumber(100 * row.score, i18n.language, 1)} %</Text>
          </li>
        ))}
      </ul>
      <Text size="xs" c="dimmed" mt={4}>{model}</Text>
    </div>
  );
}

/** Draw the boxes in the picture's own pixels; the drawing stretches with the picture. */
export function Boxes({ found, width, height }: { found: Detections; width: number; height: number }) {
  const stroke = Math.max(width, height) / 220;
  const text = Math.max(width, height) / 24;
  return (
    <svg className="boxes" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
      {found.detections.map(({ label, box: [x0, y0, x1, y1] }, index) => {
        const colour = BOX_COLOURS[index % BOX_COLOURS.length];
        const top = Math.max(y0 - text * 1.3, 0);
        return (
          <g key={index}>
            <rect x={x0} y={y0} width={x1 - x0} height={y1 - y0} fill="none" stroke={colour} strokeWidth={stroke} rx={stroke} />
            <rect x={x0} y={top} width={Math.min((label.length + 1.4) * text * 0.56, width)} height={text * 1.3} fill={colour} rx={stroke} />
            <text x={x0 + text * 0.35} y={top + text * 0.98} fontSize={text} fill="#fff">{label}</text>
          </g>
        );
      })}
    </svg>
  );
}
