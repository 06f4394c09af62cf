/**
 * Owns reading what the reader wrote into the lines of a training file, by the rules of the server's own reader, so that
 * mistakes are found before anything is sent. Pure; knows neither the page nor the network.
 */

export const MOST_EXAMPLES = 10_000;
/** Of one example. */
export const MOST_CHARS = 20_000;
export const MOST_FILE_BYTES = 50 * 2 ** 20;

export type Mistake =
  | "notJson" | "notObject" | "unknownForm" | "noMessages" | "wrongRole" | "toolCalls" | "noText" | "noAnswerTurn" | "noQuestion" | "noAnswer"
  | "tooLong" | "tooMany";

export interface Problem {
  /** Counted from 1 in what the reader wrote. */
  line: number;
  what: Mistake;
}

export interface Reading {
  form: "empty" | "jsonl" | "plain";
  /** One JSON object each, and the line that it stands on. */
  examples: { json: string; line: number }[];
  problems: Problem[];
}

const ASKED = /^(?:p|pergunta|q|question|usu[áa]rio|user|human|entrada|input)\s*[:>]\s*([^]*)$/i;
const ANSWERED = /^(?:r|resposta|a|answer|assistente|assistant|bot|sa[íi]da|output)\s*[:>]\s*([^]*)$/i;
const ANSWER_BEGINS = /\s+(?=(?:r|resposta|a|answer)\s*:)/i;
const SENTENCE_END = /(?<=[.!?])\s+(?=["“'(]?[A-ZÀ-Ý0-9])/;
const LEAST_WORDS = 3;
const ROLES = new Set(["system", "developer", "user", "assistant", "tool"]);
const PAIRS = [["prompt", "completion"], ["question", "answer"], ["pergunta", "resposta"], ["input", "output"]] as const;

export function readExamples(text: string): Reading {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  if (!trimmed) return { form: "empty", examples: [], problems: [] };
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\n|\r/);
  const reading = trimmed.startsWith("{") ? readJsonLines(lines) : readPlain(lines);
  if (reading.examples.length > MOST_EXAMPLES) reading.problems.push({ line: reading.examples[MOST_EXAMPLES]!.line, what: "tooMany" });
  return reading;
}

export function fileOf(reading: Reading, name: string): File {
  return new File([reading.examples.map(({ json }) => `${json}\n`).join("")], `${name || "examples"}.jsonl`, { type: "application/jsonl" });
}

/** The reader's line that a refusal of the server is about: it counts the lines of the file that was made of the text. */
export function lineOfRefusal(message: string, reading: Reading): number | null {
  const found = /\bLine (\d+) of the training data\b/.exec(message);
  return found ? (reading.examples[Number(found[1]) - 1]?.line ?? null) : null;
}

/** Where a line stands in the text, for selecting it. */
export function rangeOfLine(text: string, line: number): [number, number] {
  const lines = text.split("\n");
  const start = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  return [start, start + (lines[line - 1]?.length ?? 0)];
}

function readJsonLines(lines: string[]): Reading {
  const reading: Reading = { form: "jsonl", examples: [], problems: [] };
  lines.forEach((text, at) => {
    if (!text.trim()) return;
    const what = mistakeIn(text);
    if (what) reading.problems.push({ line: at + 1, what });
    else reading.examples.push({ json: text.trim(), line: at + 1 });
  });
  return reading;
}

function mistakeIn(text: string): Mistake | null {
  let entry: unknown;
  try {
    entry = JSON.parse(text);
  } catch {
    return "notJson";
  }
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) return "notObject";
  const fields = entry as Record<string, unknown>;
  if ("messages" in fields) return mistakeInMessages(fields.messages);
  const pair = PAIRS.find(([asked, answered]) => asked in fields && answered in fields);
  if (pair) return mistakeInTexts(pair.map((name) => fields[name]));
  return typeof fields.text === "string" && fields.text.trim() ? null : "unknownForm";
}

function mistakeInMessages(turns: unknown): Mistake | null {
  if (!Array.isArray(turns) || turns.length === 0) return "noMessages";
  const learned: number[] = [];
  for (const [at, turn] of turns.entries()) {
    const { role, tool_calls, weight } = (turn ?? {}) as Record<string, unknown>;
    if (typeof role !== "string" || !ROLES.has(role)) return "wrongRole";
    if (Array.isArray(tool_calls) && tool_calls.length > 0) return "toolCalls";
    if (role === "assistant" && weight !== 0) learned.push(at);
  }
  const mistake = mistakeInTexts(turns.map((turn: { content?: unknown }) => turn.content));
  return mistake ?? (learned.length === 0 || learned[0] === 0 ? "noAnswerTurn" : null);
}

function mistakeInTexts(contents: unknown[]): Mistake | null {
  const texts = contents.map(textOf);
  if (texts.some((text) => !text.trim())) return "noText";
  return texts.reduce((sum, text) => sum + text.length, 0) > MOST_CHARS ? "tooLong" : null;
}

/** A text, or OpenAI's list of text parts; anything else counts as none. */
function textOf(content: unknown): string {
  if (!Array.isArray(content)) return typeof content === "string" ? content : "";
  const parts = content as { type?: string; text?: string }[];
  return parts.every((part) => part?.type === "text") ? parts.map((part) => part.text ?? "").join("") : "";
}

/** `P: … R: …` pairs (an answer goes on until the next question), and sentences where there are none. */
function readPlain(lines: string[]): Reading {
  const reading: Reading = { form: "plain", examples: [], problems: [] };
  let open: { line: number; question: string; answer: string } | null = null;
  const close = () => {
    if (open) addPair(reading, open);
    open = null;
  };
  for (const [line, text] of numbered(lines)) {
    const asked = ASKED.exec(text.trim());
    const answered: RegExpExecArray | null = ANSWERED.exec(text.trim());
    if (asked) {
      close();
      open = { line, question: asked[1]!.trim(), answer: "" };
    } else if (open === null) {
      for (const sentence of sentencesOf(text)) reading.examples.push({ json: JSON.stringify({ text: sentence }), line });
    } else if (answered && !open.answer) open.answer = answered[1]!;
    else if (open.answer) open.answer += `\n${text}`;
    else if (text.trim()) open.question += `\n${text.trim()}`;
  }
  close();
  return reading;
}

function addPair({ examples, problems }: Reading, { line, question, answer }: { line: number; question: string; answer: string }): void {
  const what: Mistake | null = !question ? "noQuestion" : !answer.trim() ? "noAnswer" : question.length + answer.length > MOST_CHARS ? "tooLong" : null;
  if (what) problems.push({ line, what });
  else examples.push({ json: JSON.stringify({ messages: [{ role: "user", content: question }, { role: "assistant", content: answer.trim() }] }), line });
}

/** The lines with their numbers; a question and its answer on one line are two. */
function* numbered(lines: string[]): Generator<[number, string]> {
  for (const [at, text] of lines.entries()) {
    const cut = ASKED.test(text.trim()) ? ANSWER_BEGINS.exec(text) : null;
    if (cut) yield [at + 1, text.slice(0, cut.index)];
    yield [at + 1, cut ? text.slice(cut.index + cut[0].length) : text];
  }
}

function sentencesOf(text: string): string[] {
  const sentences = text.replace(/^[\s*•-]+|[\s*•-]+$/g, "").split(SENTENCE_END);
  return sentences.map((one) => one.trim().slice(0, MOST_CHARS)).filter((one) => one.split(/\s+/).length >= LEAST_WORDS);
}
