/** Owns handing a file to the reader. */

export function downloadBlob(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  downloadUrl(url, name);
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

export function downloadUrl(url: string, name: string): void {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
}
