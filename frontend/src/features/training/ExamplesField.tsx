/** Owns taking the examples: written, pasted or from a file; what is wrong with them stands beside them, by line. */
import { ActionIcon, Alert, Button, Group, Text, Textarea, UnstyledButton } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { FileDrop } from "@/shared/components/FileDrop";
import { Icon } from "@/shared/components/Icon";
import { formatBytes } from "@/shared/format";
import { MOST_EDITED_CHARS, type Draft } from "./draft";
import { MOST_CHARS, MOST_EXAMPLES, MOST_FILE_BYTES, rangeOfLine, readExamples, type Problem, type Reading } from "./examples";

interface Props {
  draft: Draft;
  onChange: (part: Partial<Draft>) => void;
  /** What the server said of a line, if it refused one. */
  refusal: { line: number; message: string } | null;
}

const SHOWN_PROBLEMS = 6;
/** Nobody is told in the middle of a word that the answer is missing. */
const PAUSE_MS = 500;

export function ExamplesField({ draft, onChange, refusal }: Props) {
  const { t } = useTranslation();
  const area = useRef<HTMLTextAreaElement>(null);
  const [tooLarge, setTooLarge] = useState<File | null>(null);
  const [text] = useDebouncedValue(draft.file?.text ?? draft.text, PAUSE_MS);
  const reading = readExamples(text);
  const take = async ([file]: File[]) => {
    setTooLarge(file!.size > MOST_FILE_BYTES ? file! : null);
    if (file!.size > MOST_FILE_BYTES) return;
    const found = await file!.text();
    onChange(found.length > MOST_EDITED_CHARS ? { text: "", file: { name: file!.name, text: found } } : { text: found, file: null });
  };
  const goTo = (line: number) => {
    area.current?.focus();
    area.current?.setSelectionRange(...rangeOfLine(draft.text, line));
  };
  return (
    <div className="rows">
      {draft.file ? <ChosenFile file={draft.file} onRemove={() => onChange({ file: null })} /> : (
        <Textarea ref={area} label={t("training.examples")} description={t("training.examplesHint")} placeholder={t("training.examplesPlaceholder")}
          autosize minRows={6} maxRows={16} spellCheck={false} classNames={{ input: "examples-input" }} value={draft.text}
          error={reading.problems.length > 0 || refusal !== null} onChange={(event) => onChange({ text: event.target.value })} />
      )}
      <Found reading={reading} refusal={refusal} onGoTo={draft.file ? undefined : goTo} />
      {draft.file === null && reading.form === "empty" && draft.text === "" && (
        <Group><Button size="compact-sm" variant="subtle" onClick={() => onChange({ text: t("training.sample") })}>{t("training.useSample")}</Button></Group>
      )}
      <FileDrop label={t("training.drop")} hint={t("training.dropHint")} accept=".jsonl,.json,.txt,application/jsonl,text/plain" onFiles={(files) => void take(files)} />
      {tooLarge && <Alert color="red" role="alert" icon={<Icon name="alert" />}>{t("training.tooLarge", { name: tooLarge.name })}</Alert>}
    </div>
  );
}

function ChosenFile({ file, onRemove }: { file: { name: string; text: string }; onRemove: () => void }) {
  const { t, i18n } = useTranslation();
  return (
    <Group className="row" wrap="nowrap" gap="sm">
      <Icon name="documents" />
      <Text size="sm" className="ellipsis" flex={1}>{file.name}</Text>
      <Text size="xs" c="dimmed">{formatBytes(file.text.length, i18n.language)}</Text>
      <ActionIcon variant="subtle" color="red" size="sm" onClick={onRemove} aria-label={t("training.removeFile", { name: file.name })}><Icon name="close" size={15} /></ActionIcon>
    </Group>
  );
}

function Found({ reading, refusal, onGoTo }: { reading: Reading; refusal: Props["refusal"]; onGoTo?: (line: number) => void }) {
  const { t } = useTranslation();
  const { form, examples, problems } = reading;
  const told = problems.slice(0, SHOWN_PROBLEMS);
  const sentence = ({ what }: Problem) => t(`training.mistake.${what}`, { chars: MOST_CHARS, examples: MOST_EXAMPLES });
  return (
    <div aria-live="polite" data-found={examples.length}>
      {form !== "empty" && <Text size="sm" c={examples.length > 0 ? undefined : "red"}>{t(`training.form.${form}`)} · {t("training.found", { count: examples.length })}</Text>}
      {(told.length > 0 || refusal) && (
        <ul className="mistakes">
          {told.map((problem) => <Mistake key={`${problem.line} ${problem.what}`} line={problem.line} text={sentence(problem)} onGoTo={onGoTo} />)}
          {refusal && <Mistake line={refusal.line} text={refusal.message} onGoTo={onGoTo} />}
        </ul>
      )}
      {problems.length > told.length && <Text size="xs" c="dimmed">{t("training.moreMistakes", { count: problems.length - told.length })}</Text>}
    </div>
  );
}

function Mistake({ line, text, onGoTo }: { line: number; text: string; onGoTo?: (line: number) => void }) {
  const { t } = useTranslation();
  const place = t("training.line", { line });
  return (
    <li>
      {onGoTo ? <UnstyledButton className="mistake-line" onClick={() => onGoTo(line)} aria-label={t("training.goToLine", { line })}>{place}</UnstyledButton> : <strong>{place}</strong>}
      {": "}{text}
    </li>
  );
}
