/** Owns adding up how far a model's files have come. */
import type { FileProgress } from "./wire";

/** The list with the newest of one file, in the order in which files were first heard of. */
export function withFile(files: FileProgress[], file: FileProgress): FileProgress[] {
  const place = files.findIndex(({ name }) => name === file.name);
  return place < 0 ? [...files, file] : files.map((one, index) => (index === place ? file : one));
}

/** 0 to 100, over the files whose size is known. */
export function percentOf(files: FileProgress[]): number {
  const total = files.reduce((sum, file) => sum + file.total, 0);
  const loaded = files.reduce((sum, file) => sum + Math.min(file.loaded, file.total), 0);
  return total > 0 ? (100 * loaded) / total : 0;
}

export function filePercent({ state, loaded, total }: FileProgress): number {
  if (state === "kept") return 100;
  return total > 0 ? Math.min(100, (100 * loaded) / total) : 0;
}
