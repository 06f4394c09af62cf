/** Owns the list of tabs and which one the address names; every tab is a link. */
import { lazy, useEffect, useState, type ComponentType } from "react";
import type { IconName } from "@/shared/components/Icon";

export interface TabProps {
  /** Whether this tab is the one shown; hidden tabs keep their state but neither poll nor listen. */
  active: boolean;
}

export const TABS = ["chat", "assistants", "images", "vision", "translate", "speech", "documents", "training", "browser", "models", "status"] as const;
export type TabName = (typeof TABS)[number] & IconName;

const AGAIN_AFTER_MS = [1000, 3000];

/** A network that changes at that moment (a cable, a container's) ends what is being fetched; asked again, it is there. */
function patiently<T>(load: () => Promise<T>): () => Promise<T> {
  return async () => {
    for (const wait of AGAIN_AFTER_MS) {
      try {
        return await load();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, wait));
      }
    }
    return load();
  };
}

export const TAB_PAGES: Record<TabName, ComponentType<TabProps>> = {
  chat: lazy(patiently(() => import("@/features/chat/ChatTab"))),
  assistants: lazy(patiently(() => import("@/features/assistants/AssistantsTab"))),
  images: lazy(patiently(() => import("@/features/images/ImagesTab"))),
  vision: lazy(patiently(() => import("@/features/vision/VisionTab"))),
  translate: lazy(patiently(() => import("@/features/translate/TranslateTab"))),
  speech: lazy(patiently(() => import("@/features/speech/SpeechTab"))),
  documents: lazy(patiently(() => import("@/features/documents/DocumentsTab"))),
  training: lazy(patiently(() => import("@/features/training/TrainingTab"))),
  browser: lazy(patiently(() => import("@/features/browser/BrowserTab"))),
  models: lazy(patiently(() => import("@/features/models/ModelsTab"))),
  status: lazy(patiently(() => import("@/features/status/StatusTab"))),
};

function tabOfHash(hash: string): TabName {
  const name = hash.replace(/^#\/?/, "").split(/[/?]/)[0];
  return TABS.find((tab) => tab === name) ?? "chat";
}

export function useTab(): TabName {
  const [tab, setTab] = useState(() => tabOfHash(location.hash));
  useEffect(() => {
    const follow = () => setTab(tabOfHash(location.hash));
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return tab;
}
