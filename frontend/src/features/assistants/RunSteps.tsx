/** Owns what an assistant did before it answered: code and its output, searches, function calls. */
import { Loader, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "@/shared/components/Icon";
import { useSteps } from "./assistants";
import { contentUrl, type Run, type RunStep, type StepCall } from "./wire";

export function RunSteps({ run, watching }: { run: Run; watching: boolean }) {
  const { t } = useTranslation();
  const steps = useSteps(run, watching).data ?? [];
  const calls = steps.filter((step) => step.step_details.type === "tool_calls");
  if (calls.length === 0) return null;
  return <ol className="run-steps" aria-label={t("assistants.steps")}>{calls.map((step) => <Step key={step.id} step={step} />)}</ol>;
}

function Step({ step }: { step: RunStep }) {
  const { t } = useTranslation();
  const calls = step.step_details.type === "tool_calls" ? step.step_details.tool_calls : [];
  return (
    <li data-status={step.status}>
      {calls.map((call, at) => <Call key={call.id ?? at} call={call} running={step.status === "in_progress"} />)}
      {step.last_error && <Text size="xs" c="red">{step.last_error.message}</Text>}
      {step.status !== "completed" && step.status !== "in_progress" && !step.last_error && <Text size="xs" c="dimmed">{t(`assistants.run.${step.status}`)}</Text>}
    </li>
  );
}

function Call({ call, running }: { call: StepCall; running: boolean }) {
  const { t } = useTranslation();
  const title = call.type === "function" ? (call.function?.name ?? "") : t(`assistants.tool.${call.type}`);
  return (
    <details open={call.type === "code_interpreter" || undefined}>
      <summary>
        <Icon name={call.type === "file_search" ? "search" : "settings"} size={15} />{title}
        {running && <Loader size={12} role="img" aria-label={t("assistants.run.in_progress")} />}
      </summary>
      {call.code_interpreter && <Code run={call.code_interpreter} />}
      {call.function && <pre tabIndex={0}>{call.function.arguments}{call.function.output ? `\n→ ${call.function.output}` : ""}</pre>}
      {call.file_search?.results?.map((result, at) => <Text key={at} size="xs" c="dimmed">{result.file_name}</Text>)}
    </details>
  );
}

function Code({ run }: { run: NonNullable<StepCall["code_interpreter"]> }) {
  const { t } = useTranslation();
  return (
    <>
      {run.input && <pre tabIndex={0}>{run.input}</pre>}
      {run.outputs?.map((output, at) =>
        output.type === "image"
          ? output.image && <img key={at} className="chart" src={contentUrl(output.image.file_id)} alt={t("assistants.chart")} />
          : output.logs && <pre key={at} tabIndex={0} data-output>{output.logs}</pre>)}
    </>
  );
}
