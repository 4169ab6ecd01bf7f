/**
 * The colours that a series can have, by what it stands for; they suit light and dark pages alike. The four `c1` … `c4`
 * stand for nothing and follow the named ones in the order in which series without a tone take them.
 */
export type Tone = "plain" | "chosen" | "rejected" | "moving" | "initial" | "c1" | "c2" | "c3" | "c4";

/** One point of a series. */
export interface PlotPoint {
  /** Its place along the horizontal axis. */
  readonly x: number;
  /** Its height; a number that isn't finite breaks the curve. */
  readonly y: number;
  /** The lower end of an interval of `y`; drawn where `high` is given too. */
  readonly low?: number | undefined;
  /** The upper end of an interval of `y`. */
  readonly high?: number | undefined;
}

/** Points that belong together. */
export interface PlotSeries {
  /** Its name in the legend. */
  readonly name: string;
  /** In the order in which a line joins them. */
  readonly points: readonly PlotPoint[];
  /** How they are drawn; a line by default. Intervals are a band along a line, and whiskers at dots. */
  readonly marks?: "line" | "dots" | "both";
  /** Whether the line is dashed; not by default. */
  readonly dashed?: boolean;
  /** Whether it is drawn thin and pale and left out of the legend, as single steps below their mean; not by default. */
  readonly faint?: boolean;
  /** Its colour; by default the next that no other series has, the same for all series of one name. */
  readonly tone?: Tone;
  /** What the legend adds to its name, such as the latest value. */
  readonly note?: string;
}

/** One axis of a plot. */
export interface PlotAxis {
  /** What is measured, and in what; empty for none. */
  readonly label: string;
  /** Whether equal distances are equal ratios, so that only values above 0 are drawn; not by default. */
  readonly log?: boolean;
  /** Values that the axis reaches even where no point does; none by default. */
  readonly reach?: readonly number[];
}

/** One plot: what `renderPlot` draws. */
export interface PlotOptions {
  /** What is plotted. */
  readonly title: string;
  /** A sentence on how to read it. */
  readonly reading?: string;
  /** The horizontal axis. */
  readonly x: PlotAxis;
  /** The vertical axis. */
  readonly y: PlotAxis;
  /** What is drawn, from back to front; series without a finite point are left out. */
  readonly series: readonly PlotSeries[];
  /** Places to mark with a vertical rule; none by default. */
  readonly rules?: readonly { readonly x: number; readonly label?: string }[];
  /** Heights to mark with a horizontal rule; those with a label are in the legend; none by default. */
  readonly levels?: readonly { readonly y: number; readonly label?: string }[];
  /** Width in the drawing's own units, which are CSS pixels where it isn't scaled; 640 by default. */
  readonly width?: number;
  /** Height of the chart without title, legend and reading, in the same units; half of the width by default. */
  readonly height?: number;
}
