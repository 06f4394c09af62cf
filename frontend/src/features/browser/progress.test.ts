import { expect, it } from "vitest";
import { filePercent, percentOf, withFile } from "./progress";
import type { FileProgress } from "./wire";

const file = (name: string, loaded: number, total: number, state: FileProgress["state"] = "fetching"): FileProgress => ({ name, loaded, total, state });

it("keeps the newest of each file in the order they came", () => {
  const files = [file("a", 0, 10), file("b", 0, 30)].reduce(withFile, [] as FileProgress[]);
  expect(withFile(files, file("a", 5, 10)).map(({ name, loaded }) => [name, loaded])).toEqual([["a", 5], ["b", 0]]);
});

it("adds up the bytes, not the files", () => {
  expect(percentOf([file("a", 10, 10), file("b", 0, 30)])).toBe(25);
  expect(percentOf([])).toBe(0);
  expect(percentOf([file("a", 5, 0)])).toBe(0);
});

it("tells of one file how far it is, and of a kept one that it is there", () => {
  expect(filePercent(file("a", 3, 12))).toBe(25);
  expect(filePercent(file("a", 3, 0))).toBe(0);
  expect(filePercent(file("a", 0, 0, "kept"))).toBe(100);
});
