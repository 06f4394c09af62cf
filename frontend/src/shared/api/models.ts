/** Owns the list of models as the page sees it. */
import { useList, type Listing } from "./lists";
import type { Model } from "./types";

/** Asked for again while there is none: services that start, or are slow, have none to tell yet. */
export function useModels(): Listing<Model> {
  return useList<Model>("models", "/v1/models", { until: (all) => all.length > 0 });
}

/** Real models of a task; aliases are names for other people's clients and not offered here, nor is what a training kept on its way. */
export function modelsFor(models: Model[] | undefined, task: string): Model[] {
  return (models ?? []).filter((model) => taskOf(model) === task && !model.alias_of && !isOnTheWay(model));
}

/** A checkpoint of a training: the API answers with it, and the page shows what the training ended with. */
export function isOnTheWay({ id }: Pick<Model, "id">): boolean {
  return /^ft:.*:ckpt-step-\d+$/.test(id);
}

const TASKS: Record<string, string> = {
  "text-generation": "chat", chat: "chat", completion: "chat",
  image: "image", "text-to-image": "image", "image-generation": "image",
  "image-to-text": "caption", caption: "caption", captions: "caption", captioning: "caption", "image-captioning": "caption",
  detection: "detection", "object-detection": "detection", classification: "classification", "image-classification": "classification",
  translation: "translation", translate: "translation",
  speech: "speech", tts: "speech", "text-to-speech": "speech", embedding: "embedding", embeddings: "embedding",
};

export function taskOf(model: { task?: string }): string {
  return TASKS[model.task ?? ""] ?? model.task ?? "other";
}

/** All that a model does, its main task first. */
export function tasksOf(model: { task?: string; tasks?: string[] }): string[] {
  return (model.tasks ?? [model.task]).map((task) => taskOf({ task }));
}
