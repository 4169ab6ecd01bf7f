import type { Sample } from "../../training/samples.ts";
import type { PlotOptions } from "../plot/types.ts";

/** A table: one heading a column, and rows of as many cells. */
export interface PageTable {
  /** What it shows. */
  readonly title?: string;
  /** A sentence on how to read it. */
  readonly reading?: string;
  /** Headings of the columns; the first names the rows, the others are numbers or short texts. */
  readonly columns: readonly string[];
  /** Cells by row. */
  readonly rows: readonly (readonly string[])[];
}

/** A part of a page; what it has is shown in the order of these keys. */
export interface PageSection {
  /** Its heading. */
  readonly heading: string;
  /** Paragraphs. */
  readonly text?: string | readonly string[];
  /** Plots; those without a finite point are left out. */
  readonly figures?: readonly PlotOptions[];
  /** Tables. */
  readonly tables?: readonly PageTable[];
  /** Completions to compare, side by side where there is room. */
  readonly samples?: readonly Sample[];
  /** Text to show as it is, such as a configuration. */
  readonly code?: string;
}

/** What `renderPage` shows. */
export interface PageOptions {
  /** The heading. */
  readonly title: string;
  /** What to know at a glance, as pairs of label and value; none by default. */
  readonly summary?: readonly (readonly [label: string, value: string])[];
  /** A paragraph below the summary; none by default. */
  readonly note?: string;
  /** The rest; sections in which nothing is to be shown are left out. */
  readonly sections: readonly PageSection[];
}
