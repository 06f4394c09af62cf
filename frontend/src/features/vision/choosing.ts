/** Owns which installed model looks at a picture, for each way of looking; remembered in this browser. */
import { useState } from "react";
import type { Listing } from "@/shared/api/lists";
import { taskOf, tasksOf, useModels } from "@/shared/api/models";
import type { Model } from "@/shared/api/types";
import { load, save } from "@/shared/storage";

export type VisionTask = "caption" | "detection" | "classification" | "question" | "ocr";
export type Choices = Partial<Record<VisionTask, string>>;

/** The models that do a task, the one first that svc-vision takes where none is named. */
export function modelsDoing(models: Model[] | undefined, task: VisionTask): Model[] {
  const able = (models ?? []).filter((model) => !model.alias_of && (model.service ?? "svc-vision") === "svc-vision" && tasksOf(model).includes(task));
  const rank = (model: Model) => 2 * Number(model.builtin ?? false) + Number(taskOf(model) !== task);
  return able.sort((a, b) => rank(a) - rank(b));
}

/** The model that was chosen; null where none was, or it is not installed any more. */
export function chosenFor(models: Model[] | undefined, task: VisionTask, choices: Choices): string | null {
  return modelsDoing(models, task).find((model) => model.id === choices[task])?.id ?? null;
}

export interface Choosing {
  list: Listing<Model>;
  models: Model[] | undefined;
  /** What is chosen; null: svc-vision chooses. */
  chosen: (task: VisionTask) => string | null;
  choose: (task: VisionTask, id: string | null) => void;
  /** The field of a request that names the model. */
  field: (task: VisionTask) => Record<string, string>;
}

const KEPT = "vision-models";

export function useChoosing(): Choosing {
  const list = useModels();
  const models = list.data;
  const [choices, setChoices] = useState<Choices>(() => load<Choices>(KEPT, {}));
  const chosen = (task: VisionTask) => chosenFor(models, task, choices);
  const choose = (task: VisionTask, id: string | null) => {
    const next = { ...choices, [task]: id ?? undefined };
    setChoices(next);
    save(KEPT, next);
  };
  const field = (task: VisionTask): Record<string, string> => {
    const model = chosen(task);
    return model ? { model } : {};
  };
  return { list, models, chosen, choose, field };
}
