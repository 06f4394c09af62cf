import { describe, expect, it } from "vitest";
import { fileOf, lineOfRefusal, MOST_CHARS, MOST_EXAMPLES, rangeOfLine, readExamples } from "./examples";

const turns = (question: string, answer: string) =>
  ({ messages: [{ role: "user", content: question }, { role: "assistant", content: answer }] });
const objects = (text: string) => readExamples(text).examples.map(({ json }) => JSON.parse(json) as unknown);
const mistakes = (text: string) => readExamples(text).problems.map(({ line, what }) => `${line} ${what}`);

describe("examples written as questions and answers", () => {
  it.each(["P: Quem abre?\nR: Ana.", "Q: Quem abre?\nA: Ana.", "Pergunta: Quem abre? Resposta: Ana.", "usuário> Quem abre?\nbot> Ana."])(
    "are read in any of the usual marks: %j", (text) => expect(objects(text)).toEqual([turns("Quem abre?", "Ana.")]));

  it("keep answers of several lines, and questions too", () => {
    expect(objects("P: Um\ndois?\nR: a\n\nb\nP: Três?\nR: c")).toEqual([turns("Um\ndois?", "a\n\nb"), turns("Três?", "c")]);
  });

  it("may be plain sentences; very short ones are no facts", () => {
    expect(objects("- A loja abre às 7. Ela fecha às 9.\nOi!")).toEqual([{ text: "A loja abre às 7." }, { text: "Ela fecha às 9." }]);
  });

  it("name the line whose answer or question is missing", () => {
    expect(mistakes("P: Quem?\nR: Ana.\n\nP: Onde?\nP:\nR: Aqui.")).toEqual(["4 noAnswer", "5 noQuestion"]);
  });
});

describe("examples written as JSON lines", () => {
  it("are kept as they are, without empty lines, whatever ends the lines", () => {
    const [one, two] = [JSON.stringify(turns("a", "b")), '{"prompt": "c",  "completion": "d"}'];
    const reading = readExamples(`\uFEFF${one}\r\n\r\n${two}\r\n`);
    expect(reading.examples).toEqual([{ json: one, line: 1 }, { json: two, line: 3 }]);
    expect(reading.problems).toEqual([]);
  });

  it.each([
    ["{oops", "notJson"], ["[1]", "notObject"], ['{"x": 1}', "unknownForm"], ['{"messages": []}', "noMessages"],
    ['{"messages": [{"role": "robot", "content": "x"}]}', "wrongRole"], ['{"messages": [null]}', "wrongRole"],
    ['{"messages": [{"role": "user", "content": "x"}]}', "noAnswerTurn"], ['{"messages": [{"role": "assistant", "content": "x"}]}', "noAnswerTurn"],
    ['{"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "x"}]}', "noText"],
    ['{"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "tool_calls": [{}]}]}', "toolCalls"],
    ['{"prompt": "x", "completion": 7}', "noText"], [JSON.stringify({ prompt: "x", completion: "y".repeat(MOST_CHARS) }), "tooLong"],
  ])("say what is wrong and where: %s", (line, what) => {
    expect(mistakes(`${JSON.stringify(turns("a", "b"))}\n${line}`)).toEqual([`2 ${what}`]);
  });

  it("may not be more than the server takes", () => {
    expect(mistakes(`${JSON.stringify(turns("a", "b"))}\n`.repeat(MOST_EXAMPLES + 2))).toEqual([`${MOST_EXAMPLES + 1} tooMany`]);
  });
});

describe("what is sent", () => {
  it("is one JSON object a line", async () => {
    const file = fileOf(readExamples("P: Quem?\nR: Ana."), "casa");
    expect([file.name, await file.text()]).toEqual(["casa.jsonl", `${JSON.stringify(turns("Quem?", "Ana."))}\n`]);
  });

  it("leads a refusal back to the reader's own line", () => {
    const reading = readExamples("P: a\nR: b\n\n\nP: c\nR: d");
    expect(lineOfRefusal("Line 2 of the training data is not JSON.", reading)).toBe(5);
    expect(lineOfRefusal("This training needs about 9 MiB of memory.", reading)).toBeNull();
  });

  it("is found again in the text", () => {
    const text = "P: a\nR: b\nP: c";
    expect(text.slice(...rangeOfLine(text, 2))).toBe("R: b");
  });
});
