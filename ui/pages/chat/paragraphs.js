/** Text that grows, shown as paragraphs: as text only, and at most once a frame. */

export class Paragraphs {
  /** @param {HTMLElement} place where the paragraphs go; emptied first */
  constructor(place) {
    this.place = place;
    this.text = "";
    this.tail = "";
    this.pending = "";
    this.frame = 0;
    /** @type {HTMLParagraphElement | null} */
    this.last = null;
    /** Called after each painting. */
    this.onpaint = () => {};
    place.replaceChildren();
  }

  /** @param {string} piece the next piece of the text */
  append(piece) {
    this.text += piece;
    this.pending += piece;
    this.frame ||= requestAnimationFrame(() => this.paint());
  }

  /** Show all there is, now. */
  paint() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (!this.pending) return;
    const parts = (this.tail + this.pending).split(/\n{2,}/);
    this.pending = "";
    this.tail = parts[parts.length - 1] ?? "";
    for (const [index, part] of parts.entries()) {
      if (index > 0 && this.last?.textContent) this.last = null;
      if (!this.last) {
        this.last = document.createElement("p");
        this.place.append(this.last);
      }
      this.last.textContent = part;
    }
    this.onpaint();
  }
}
