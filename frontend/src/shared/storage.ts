/** Owns what the page remembers in this browser; a full or forbidden storage is no error. */

export function load<T>(key: string, fallback: T): T {
  try {
    const text = localStorage.getItem(`oficina.${key}`);
    return text ? (JSON.parse(text) as T) : fallback;
  } catch {
    return fallback;
  }
}

export function save(key: string, value: unknown): void {
  try {
    localStorage.setItem(`oficina.${key}`, JSON.stringify(value));
  } catch {
    // Private windows and full disks: the page works, it only forgets.
  }
}
