/** The pictures on the small buttons of a message. Each button has its name in words too. */

import { svg, type TemplateResult } from "lit";

const icon = (path: string): TemplateResult => svg`<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false" class="icon"><path d=${path}></path></svg>`;

export const COPY = icon("M9 9h10v11H9zM5 15V4h10");
export const CHECK = icon("m5 12.5 4.5 4.5L19 7.5");
export const AGAIN = icon("M19 12a7 7 0 1 1-2.2-5.1M19 3.5V8h-4.5");
export const GOOD = icon("M7.5 11 11 3.5c1.6 0 2.4 1 2.2 2.6L12.7 9.5h5.8a1.6 1.6 0 0 1 1.6 1.9l-1.2 7a1.8 1.8 0 0 1-1.8 1.6H7.5zM7.5 11H4v9h3.5");
export const BAD = icon("M16.5 13 13 20.5c-1.6 0-2.4-1-2.2-2.6l.5-3.4H5.5a1.6 1.6 0 0 1-1.6-1.9l1.2-7A1.8 1.8 0 0 1 6.9 4h9.6zM16.5 13H20V4h-3.5");
export const EDIT = icon("m4 20 1-4.5L16.5 4l3.5 3.5L8.5 19z");
export const ALOUD = icon("M4 9.5v5h3.5L12 19V5L7.5 9.5zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11");
export const BACK = icon("m14.5 5-7 7 7 7");
export const ON = icon("m9.5 5 7 7-7 7");
