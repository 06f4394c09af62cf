/** Owns the languages of the page: detected, switchable, remembered. */
import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { load, save } from "../storage";
import { en } from "./en";
import { ptBR } from "./pt-BR";

export type Language = "pt-BR" | "en";

function detectLanguage(): Language {
  const remembered = load<string | null>("language", null);
  if (remembered === "pt-BR" || remembered === "en") return remembered;
  return navigator.languages.some((name) => name.toLowerCase().startsWith("pt")) || navigator.languages.length === 0 ? "pt-BR" : "en";
}

export async function startI18n(): Promise<void> {
  i18next.on("languageChanged", (language) => { document.documentElement.lang = language; });
  await i18next.use(initReactI18next).init({
    lng: detectLanguage(),
    fallbackLng: "en",
    resources: { "pt-BR": { translation: ptBR }, en: { translation: en } },
    // React escapes what it shows.
    interpolation: { escapeValue: false },
    returnNull: false,
  });
}

export async function setLanguage(language: Language): Promise<void> {
  save("language", language);
  await i18next.changeLanguage(language);
}
