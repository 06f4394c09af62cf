/** Owns the list of tabs and which one the address names; every tab is a link. */
import { lazy, useEffect, useState, type ComponentType } from "react";
import type { IconName } from "@/shared/components/Icon";

export interface TabProps {
  /** Whether this tab is the one shown; hidden tabs keep their state but neither poll nor listen. */
  active: boolean;
}

export const TABS = ["chat", "assistants", "images", "vision", "translate", "speech", "documents", "training", "browser", "models", "status"] as const;
export type TabName = (typeof TABS)[number] & IconName;

export const TAB_PAGES: Record<TabName, ComponentType<TabProps>> = {
  chat: lazy(() => import("@/features/chat/ChatTab")),
  assistants: lazy(() => import("@/features/assistants/AssistantsTab")),
  images: lazy(() => import("@/features/images/ImagesTab")),
  vision: lazy(() => import("@/features/vision/VisionTab")),
  translate: lazy(() => import("@/features/translate/TranslateTab")),
  speech: lazy(() => import("@/features/speech/SpeechTab")),
  documents: lazy(() => import("@/features/documents/DocumentsTab")),
  training: lazy(() => import("@/features/training/TrainingTab")),
  browser: lazy(() => import("@/features/browser/BrowserTab")),
  models: lazy(() => import("@/features/models/ModelsTab")),
  status: lazy(() => import("@/features/status/StatusTab")),
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
