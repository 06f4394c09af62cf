/** Owns the drawing of a training's losses, with its numbers as a table for those who do not see it. */
import { Table, Text } from "@mantine/core";
import { useElementSize } from "@mantine/hooks";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { formatNumber } from "@/shared/format";
import type { Course, Point } from "./course";
import { pathOf, scalesOf, type Frame } from "./curve";

const MARGINS = { height: 220, left: 44, right: 14, top: 12, bottom: 28 };
/** Rows of the table at most; the last is always among them. */
const MOST_ROWS = 20;

export function LossCurve({ course, totalSteps }: { course: Course; totalSteps: number }) {
  const { t, i18n } = useTranslation();
  const { ref, width } = useElementSize();
  const id = useId();
  const frame: Frame = { ...MARGINS, width: Math.max(240, width) };
  const scales = scalesOf([course.train, course.held], totalSteps, frame);
  const number = (value: number) => formatNumber(value, i18n.language, 3);
  const summaryOf = (points: readonly Point[]) =>
    points.length === 0 ? t("training.noNumbers") : t("training.fromTo", { first: number(points[0]!.loss), last: number(points.at(-1)!.loss), step: points.at(-1)!.step });
  return (
    <figure className="loss" ref={ref}>
      <figcaption className="loss-legend">
        <span><svg width="26" height="10" aria-hidden="true"><path className="loss-train" d="M1 5H25" /></svg>{t("training.trainLoss")}</span>
        <span><svg width="26" height="10" aria-hidden="true"><path className="loss-held" d="M1 5H25" /><circle className="loss-dot" cx="13" cy="5" r="3" /></svg>{t("training.heldLoss")}</span>
      </figcaption>
      <svg role="img" aria-labelledby={`${id}-title ${id}-text`} width={frame.width} height={frame.height} viewBox={`0 0 ${frame.width} ${frame.height}`}>
        <title id={`${id}-title`}>{t("training.curve")}</title>
        <desc id={`${id}-text`}>{`${t("training.trainLoss")}: ${summaryOf(course.train)} ${t("training.heldLoss")}: ${summaryOf(course.held)}`}</desc>
        {scales.losses.map((loss) => (
          <g key={loss}>
            <path className="loss-grid" d={`M${frame.left} ${scales.y(loss)}H${frame.width - frame.right}`} />
            <text className="loss-label" x={frame.left - 8} y={scales.y(loss) + 4} textAnchor="end">{number(loss)}</text>
          </g>
        ))}
        {scales.steps.map((step) => <text key={step} className="loss-label" x={scales.x(step)} y={frame.height - 8} textAnchor="middle">{step}</text>)}
        <path className="loss-train" d={pathOf(course.train, scales)} />
        <path className="loss-held" d={pathOf(course.held, scales)} />
        {course.held.map(({ step, loss }) => <circle key={step} className="loss-dot" cx={scales.x(step)} cy={scales.y(loss)} r={3} />)}
      </svg>
      <Text size="xs" c="dimmed">{t("training.curveHint")}</Text>
      <Numbers course={course} />
    </figure>
  );
}

function Numbers({ course }: { course: Course }) {
  const { t, i18n } = useTranslation();
  const every = Math.max(1, Math.ceil(course.train.length / MOST_ROWS));
  const train = course.train.filter((_, at) => at % every === 0 || at === course.train.length - 1);
  const steps = [...new Set([...train, ...course.held].map(({ step }) => step))].sort((a, b) => a - b);
  const cell = (points: readonly Point[], step: number) => {
    const found = points.find((point) => point.step === step);
    return found ? formatNumber(found.loss, i18n.language, 3) : "–";
  };
  return (
    <details className="fold">
      <summary>{t("training.numbers")}</summary>
      <Table fz="sm" verticalSpacing={4}>
        <Table.Thead>
          <Table.Tr><Table.Th scope="col">{t("training.step")}</Table.Th><Table.Th scope="col">{t("training.trainLoss")}</Table.Th><Table.Th scope="col">{t("training.heldLoss")}</Table.Th></Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {steps.map((step) => <Table.Tr key={step}><Table.Td>{step}</Table.Td><Table.Td>{cell(course.train, step)}</Table.Td><Table.Td>{cell(course.held, step)}</Table.Td></Table.Tr>)}
        </Table.Tbody>
      </Table>
    </details>
  );
}
