/** Change what stands in the page into what it should be, and touch nothing that is so already. */

/** Make the children of `shown` those of `wanted`, which is used up. */
export function morph(shown: ParentNode & Node, wanted: ParentNode & Node): void {
  let old = shown.firstChild;
  let next = wanted.firstChild;
  while (next) {
    const following: ChildNode | null = next.nextSibling;
    if (!old) {
      shown.appendChild(next);
    } else {
      const after: ChildNode | null = old.nextSibling;
      if (old.nodeType === Node.TEXT_NODE && next.nodeType === Node.TEXT_NODE) {
        if (old.nodeValue !== next.nodeValue) old.nodeValue = next.nodeValue;
      } else if (old instanceof Element && next instanceof Element && alike(old, next)) {
        morph(old, next);
      } else {
        old.replaceWith(next);
      }
      old = after;
    }
    next = following;
  }
  while (old) {
    const after: ChildNode | null = old.nextSibling;
    old.remove();
    old = after;
  }
}

export function alike(old: Element, next: Element): boolean {
  return (
    old.tagName === next.tagName &&
    old.attributes.length === next.attributes.length &&
    [...next.attributes].every(({ name, value }) => old.getAttribute(name) === value)
  );
}
