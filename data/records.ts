/**
 * The checked forms of a training record: a pair, a labelled completion or a demonstration, whose sequences
 * are text, chat messages or token ids.
 *
 * @module
 */

/** One turn of a conversation. */
export interface Message {
  /** Who speaks: `system`, `user`, `assistant`, or any other role that the chat template knows. */
  readonly role: string;
  /** What is said; null only where the turn calls tools instead. */
  readonly content: string | null;
  /** Whatever else the chat template reads: `tool_calls`, `tool_call_id`, `name`, `reasoning_content`, …. */
  readonly [key: string]: unknown;
}

/**
 * Further variables of the chat template for one record: `tools`, and the entries of `chat_template_kwargs`.
 */
export type TemplateVariables = { readonly [name: string]: unknown };

/** The ways in which a record's sequences can be written, by the name of the form. */
export interface SequenceForms {
  /** Plain text, tokenized as it is. */
  text: string;
  /** Conversation turns, rendered by the model's chat template. */
  messages: readonly Message[];
  /** Token ids, taken as they are: neither BOS nor EOS is added. */
  ids: Int32Array;
}

/** The name of a sequence form: `text`, `messages` or `ids`. */
export type SequenceForm = keyof SequenceForms;

/** A prompt with a preferred and a dispreferred completion, all three in form `F`. */
export interface PairedRecordOf<F extends SequenceForm> {
  /** Tells the record kinds apart. */
  kind: "paired";
  /** The form of the three sequences. */
  form: F;
  /** Where the record stands in its file, from 1. */
  line: number;
  /** What both completions answer; may be empty. */
  prompt: SequenceForms[F];
  /** The preferred completion, never empty. */
  chosen: SequenceForms[F];
  /** The dispreferred completion, never empty. */
  rejected: SequenceForms[F];
  /** What the chat template reads besides the messages; absent if nothing. */
  variables?: TemplateVariables;
  /**
   * By how much the preferred one is better, for losses with a margin; absent if the data has no number for it.
   */
  margin?: number;
}

/** A prompt and one completion in form `F`, labelled as desirable or not. */
export interface UnpairedRecordOf<F extends SequenceForm> {
  /** Tells the record kinds apart. */
  kind: "unpaired";
  /** The form of both sequences. */
  form: F;
  /** Where the record stands in its file, from 1. */
  line: number;
  /** What the completion answers; may be empty. */
  prompt: SequenceForms[F];
  /** The completion that was judged, never empty. */
  completion: SequenceForms[F];
  /** Whether the completion is desirable. */
  label: boolean;
  /** What the chat template reads besides the messages; absent if nothing. */
  variables?: TemplateVariables;
}

/** A prompt and a completion to imitate, in form `F`: supervised fine-tuning. */
export interface SftRecordOf<F extends SequenceForm> {
  /** Tells the record kinds apart. */
  kind: "sft";
  /** The form of both sequences. */
  form: F;
  /** Where the record stands in its file, from 1. */
  line: number;
  /** What precedes the completion; empty for `{text}` records. */
  prompt: SequenceForms[F];
  /** What the policy should learn to say, never empty. */
  completion: SequenceForms[F];
  /** What the chat template reads besides the messages; absent if nothing. */
  variables?: TemplateVariables;
}

/** A preference pair, for DPO and IPO. */
export type PairedRecord = PairedRecordOf<"text"> | PairedRecordOf<"messages"> | PairedRecordOf<"ids">;

/** A labelled completion, for KTO. */
export type UnpairedRecord =
  | UnpairedRecordOf<"text">
  | UnpairedRecordOf<"messages">
  | UnpairedRecordOf<"ids">;

/** A demonstration, for supervised fine-tuning. */
export type SftRecord = SftRecordOf<"text"> | SftRecordOf<"messages"> | SftRecordOf<"ids">;

/** The record types by kind. */
export interface RecordKinds {
  /** `{prompt, chosen, rejected}` and its variants. */
  paired: PairedRecord;
  /** `{prompt, completion, label}` and its variants. */
  unpaired: UnpairedRecord;
  /** `{prompt, completion}`, `{messages}` or `{text}`. */
  sft: SftRecord;
}

/** The name of a record kind: `paired`, `unpaired` or `sft`. */
export type RecordKind = keyof RecordKinds;

/** Any record that training understands. */
export type TrainingRecord = RecordKinds[RecordKind];
