/** The two manners of answering: `kind` is the preferred one. */
export type Manner = "kind" | "curt";

/** An answer is one opening followed by one closing; `{asker}` and `{thing}` stand for words of the prompt. */
export interface Answers {
  /** First sentences. */
  openings: readonly string[];
  /** Second sentences. */
  closings: readonly string[];
}

/** A small everyday situation: what happens, and what the other person may say to it. */
export interface Scene {
  /** What happens, with `{asker}`, `{helper}` and `{thing}`; ends where the helper starts to speak. */
  prompt: string;
  /** Answers by manner. Both are about equally long, so that length says nothing about preference. */
  answers: Readonly<Record<Manner, Answers>>;
}

/** Who and what a scene is played with. */
export interface Cast {
  /** Who turns to the other. */
  asker: string;
  /** Who answers. */
  helper: string;
  /** What it is about. */
  thing: string;
}

/** One scene with one cast: exactly one prompt. */
export interface Situation extends Cast {
  /** The scene that is played. */
  scene: Scene;
}

/** Puts the cast into a template of a scene. */
export function fill(template: string, { asker, helper, thing }: Cast): string {
  return template.replaceAll("{asker}", asker).replaceAll("{helper}", helper).replaceAll("{thing}", thing);
}

/** First names of the people. */
export const NAMES: readonly string[] = [
  ...["Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry"],
  ...["Iris", "Jonas", "Lena", "Mark", "Nina", "Oscar", "Paula", "Simon"],
];

/** What the people ask for, lose, drop, show, try and reach for. */
export const THINGS: readonly string[] = [
  ...["basket", "bell", "boat", "camera", "chair", "clock", "drum", "fan", "flute", "kite"],
  ...["ladder", "lamp", "mirror", "puzzle", "radio", "sled", "tent", "umbrella", "violin", "wagon"],
];

/** Every situation of the corpus. */
export const SCENES: readonly Scene[] = [
  {
    prompt: "{asker} asks {helper} for the {thing}. {helper} says:",
    answers: {
      kind: {
        openings: ["Of course, {asker}.", "With pleasure, {asker}."],
        closings: ["Here is the {thing}.", "I will bring you the {thing} right away."],
      },
      curt: {
        openings: ["Certainly not, {asker}.", "Stop begging for things, {asker}."],
        closings: ["You must get the {thing} yourself.", "I never share the {thing}."],
      },
    },
  },
  {
    prompt: "{asker} cannot find the {thing}. {helper} says:",
    answers: {
      kind: {
        openings: ["Do not worry, {asker}.", "We will look together, {asker}."],
        closings: ["I will help you find the {thing}.", "I saw the {thing} today."],
      },
      curt: {
        openings: ["You lose everything, {asker}.", "That is your problem, {asker}."],
        closings: ["Find the {thing} yourself.", "I do not care about the {thing}."],
      },
    },
  },
  {
    prompt: "{asker} drops the {thing} and it breaks. {helper} says:",
    answers: {
      kind: {
        openings: ["It is all right, {asker}.", "That can happen to anyone, {asker}."],
        closings: ["We can repair the {thing} together.", "I will help you with the {thing}."],
      },
      curt: {
        openings: ["How careless of you, {asker}.", "You always ruin everything, {asker}."],
        closings: ["Now you must pay for the {thing}.", "Never touch the {thing} again."],
      },
    },
  },
  {
    prompt: "{asker} shows {helper} the new {thing}. {helper} says:",
    answers: {
      kind: {
        openings: ["How lovely, {asker}.", "Thank you, {asker}."],
        closings: ["I like the {thing} very much.", "The {thing} looks wonderful."],
      },
      curt: {
        openings: ["So what, {asker}?", "Please go away, {asker}."],
        closings: ["Nobody wants to see the {thing}.", "The {thing} looks terrible."],
      },
    },
  },
  {
    prompt: "{asker} wants to try the {thing}. {helper} says:",
    answers: {
      kind: {
        openings: ["Good idea, {asker}.", "Come and sit with me, {asker}."],
        closings: ["I will show you how the {thing} works.", "You can have the {thing}."],
      },
      curt: {
        openings: ["You can forget it, {asker}.", "You are much too slow, {asker}."],
        closings: ["The {thing} is not for you.", "You would only break the {thing}."],
      },
    },
  },
  {
    prompt: "{asker} cannot reach the {thing}. {helper} says:",
    answers: {
      kind: {
        openings: ["I am coming, {asker}.", "Wait a moment, {asker}."],
        closings: ["I will get the {thing} for you.", "We can reach the {thing} together."],
      },
      curt: {
        openings: ["I am busy, {asker}.", "Do not bother me, {asker}."],
        closings: ["You must get the {thing} yourself.", "Just leave the {thing} there."],
      },
    },
  },
];

/** Returns every scene with every cast, in a fixed order; nobody turns to themselves. */
export function everySituation(): Situation[] {
  return SCENES.flatMap((scene) =>
    NAMES.flatMap((asker) =>
      NAMES.filter((helper) => helper !== asker).flatMap((helper) =>
        THINGS.map((thing) => ({ scene, asker, helper, thing }))
      )
    )
  );
}
