/** Owns making assistants of a `{"personas": [{"name", "description"}]}` file. */
import { ApiError } from "@/shared/api/errors";
import type { AssistantDraft } from "./assistants";

interface PersonaRow {
  name?: unknown;
  description?: unknown;
  instructions?: unknown;
}

/** Read the file's text; a file of another shape is refused before anything is made. */
export function personasOf(text: string, model: string): AssistantDraft[] {
  let rows: unknown;
  try {
    rows = (JSON.parse(text) as { personas?: unknown }).personas;
  } catch {
    rows = null;
  }
  if (!Array.isArray(rows) || !rows.every(isPersona)) {
    throw new ApiError('The file must be JSON: {"personas": [{"name": "…", "description": "…"}]}.', "invalid_request", 400, "chat");
  }
  return rows.map(({ name, description, instructions }) => ({
    name, description: description.slice(0, 512), instructions: typeof instructions === "string" && instructions ? instructions : description, model, tools: [],
  }));
}

function isPersona(row: PersonaRow | null): row is { name: string; description: string; instructions?: unknown } {
  return typeof row?.name === "string" && row.name.trim() !== "" && typeof row.description === "string";
}
