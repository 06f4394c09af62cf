import { describe, expect, it } from "vitest";
import { en } from "./en";
import { ptBR } from "./pt-BR";

function flat(dictionary: object, prefix = ""): Record<string, string> {
  return Object.fromEntries(Object.entries(dictionary).flatMap(([key, value]) =>
    typeof value === "string" ? [[prefix + key, value]] : Object.entries(flat(value as object, `${prefix}${key}.`))));
}

const [portuguese, english] = [flat(ptBR), flat(en)];
const sources = import.meta.glob<string>(["/src/**/*.{ts,tsx}", "!/src/**/*.test.*"], { query: "?raw", import: "default", eager: true });

describe("the dictionaries", () => {
  it("have the same keys", () => {
    expect(Object.keys(english).sort()).toEqual(Object.keys(portuguese).sort());
  });

  it("have the same places to fill in, and no empty sentence", () => {
    const places = (text: string) => (text.match(/\{\{\w+\}\}/g) ?? []).sort();
    for (const [key, text] of Object.entries(portuguese)) {
      expect(places(english[key]!), key).toEqual(places(text));
      expect([text.trim(), english[key]!.trim()], key).not.toContain("");
    }
  });

  it("hold every key that the page asks for", () => {
    const asked = Object.values(sources).flatMap((text) => [...text.matchAll(/\bt\("([\w.]+)"/g)].map((found) => found[1]!));
    const known = (key: string) => [key, `${key}_other`, `${key}.0`].some((one) => one in portuguese);
    expect(asked.length).toBeGreaterThan(100);
    expect(asked.filter((key) => !known(key))).toEqual([]);
  });
});
