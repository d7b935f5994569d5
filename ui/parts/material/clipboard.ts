/** What is in the clipboard, read because a person asked for it. */

export type Taken =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "picture"; readonly picture: Blob };

/** Why nothing was read: `missing`, no way to ask; `denied`, the person or their browser said no; `empty`. */
export type Trouble = "missing" | "denied" | "empty";

/** What the clipboard holds, its HTML as Markdown; or why that is not known. */
export async function readClipboard(clipboard: Clipboard | undefined): Promise<Taken | Trouble> {
  if (!clipboard?.read && !clipboard?.readText) return "missing";
  try {
    if (!clipboard.read) return textOf(await clipboard.readText());
    for (const item of await clipboard.read()) {
      const picture = item.types.find((type) => type.startsWith("image/"));
      const text = await textIn(item);
      if (text) return { kind: "text", text };
      if (picture) return { kind: "picture", picture: await item.getType(picture) };
    }
    return "empty";
  } catch {
    return "denied";
  }
}

/** The Markdown of pasted HTML; the plain text where that says more, or there is no HTML. */
export async function readable(html: string, text: string): Promise<string> {
  if (!html.trim()) return text.trim();
  const { fromHtml } = await import("./markdown.ts");
  return fromHtml(html) || text.trim();
}

async function textIn(item: ClipboardItem): Promise<string> {
  const part = async (type: string): Promise<string> =>
    item.types.includes(type) ? await (await item.getType(type)).text() : "";
  return readable(await part("text/html"), await part("text/plain"));
}

function textOf(text: string): Taken | Trouble {
  return text.trim() ? { kind: "text", text: text.trim() } : "empty";
}
