/** The pictograms of the menu; each stands beside its words and says nothing of its own. */

import { html, type TemplateResult } from "lit";

const drawn = (path: string): TemplateResult => html`
  <svg class="material-icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${path} /></svg>
`;

export const PLUS = drawn("M12 5v14M5 12h14");
export const PEN = drawn("M4 20h4L19 9l-4-4L4 16zM13 7l4 4");
export const FILE = drawn("M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6");
export const PICTURE = drawn("M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01");
export const CAMERA = drawn("M4 8h4l2-3h4l2 3h4v11H4zM12 10.5a3 3 0 1 0 0 6 3 3 0 0 0 0-6z");
export const CLIPBOARD = drawn("M8 5H5v16h14V5h-3M8 3h8v4H8zM9 12h6M9 16h4");
export const PLACE = drawn("M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18");
