/** Owns how the next answer is asked for; remembered in this browser. */
import { useEffect, useState } from "react";
import { load, save } from "@/shared/storage";

export interface ChatSettings {
  model: string | null;
  /** Of the next new conversation; each conversation keeps its own. */
  persona: string | null;
  systemPrompt: string;
  /** null leaves the choice to the server. */
  temperature: number | null;
  topP: number | null;
  topK: number | null;
  maxTokens: number | null;
}

export const DEFAULT_SETTINGS: ChatSettings = {
  model: null, persona: null, systemPrompt: "", temperature: null, topP: null, topK: null, maxTokens: null,
};

export function useChatSettings() {
  const [settings, setSettings] = useState<ChatSettings>(() => ({ ...DEFAULT_SETTINGS, ...load<Partial<ChatSettings>>("chat-settings", {}) }));
  useEffect(() => save("chat-settings", settings), [settings]);
  useEffect(() => {
    const follow = () => {
      const model = modelOfAddress(location.hash);
      if (model === null) return;
      history.replaceState(null, "", "#/chat");
      setSettings((now) => ({ ...now, model }));
    };
    follow();
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  const change = (part: Partial<ChatSettings>) => setSettings((now) => ({ ...now, ...part }));
  return { settings, change };
}

/** A link `#/chat?model=…` chooses who answers. */
export function modelOfAddress(hash: string): string | null {
  const [path, wishes] = hash.split("?", 2);
  return path === "#/chat" ? new URLSearchParams(wishes).get("model") : null;
}

/** The fields of `POST /v1/responses` that the settings stand for. */
export function wishesOf({ model, persona, systemPrompt, temperature, topP, topK, maxTokens }: ChatSettings): Record<string, unknown> {
  const fields = {
    model, persona, temperature, top_p: topP, top_k: topK, max_output_tokens: maxTokens, instructions: systemPrompt.trim() || null,
    // A conversation that outgrows the model goes on without its oldest messages; the answer says how many.
    truncation: "auto",
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}
