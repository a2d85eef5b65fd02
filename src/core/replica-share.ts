// How several replicas keep to a limit together without asking each other. Each counts what it uses, and learns a
// moment later what the others have used. Pure.

/**
 * True if a replica may use more. `left`: what it believes to be left of the limit. `unseen`: what it has used that the
 * others do not know yet. Each of them may have used as much in the same time, so that much is kept free for them. A
 * replica that is cut off therefore uses what was left divided by the number of replicas, and at most one turn more.
 */
export function hasRoom(left: number, unseen: number, replicas: number): boolean {
  return left > unseen * (replicas - 1);
}

/** True if the others should learn soon what a replica has used: it needs a quarter of its share of what was left. */
export function isNews(left: number, unseen: number, replicas: number): boolean {
  return unseen > 0 && !hasRoom(left, 4 * unseen, replicas);
}
