/** Owns which training is shown: it stands in the address, so that it survives a reload and can be linked to. */
import { useEffect, useState } from "react";

export const NEW = "new";
const PREFIX = "#/training";

/** A job's id, `new` for the form, or null where the address names neither. */
export function chosenOf(hash: string): string | null {
  return hash.startsWith(`${PREFIX}/`) ? decodeURIComponent(hash.slice(PREFIX.length + 1)) || null : null;
}

export function linkTo(id: string): string {
  return `${PREFIX}/${encodeURIComponent(id)}`;
}

/** While another tab is shown the choice stays as it was. */
export function useChosen(): string | null {
  const [chosen, setChosen] = useState(() => chosenOf(location.hash));
  useEffect(() => {
    const follow = () => { if (location.hash.startsWith(PREFIX)) setChosen(chosenOf(location.hash)); };
    window.addEventListener("hashchange", follow);
    return () => window.removeEventListener("hashchange", follow);
  }, []);
  return chosen;
}
