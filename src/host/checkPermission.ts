import * as Effect from "effect/Effect"
import type { FileAccess, NetworkAccess } from "../actors/index.ts"
import type { Touch } from "../capabilities/index.ts"
import type { Policy } from "./Policy.ts"
import type { RequiredPermission } from "./requiredPermissions.ts"

export interface Accesses {
  readonly policy: Policy
  readonly files: FileAccess
  readonly network: NetworkAccess
}

/** The path, peer or queue that is touched, as the program writes it. */
export const targetOf = (touch: Touch | undefined): string | undefined => {
  if (touch === undefined) return undefined
  if ("path" in touch) return touch.path
  return "queue" in touch ? touch.queue : touch.host
}

/**
 * Checks what the text of a program says that it needs: the effect, and the very path, peer or queue where it is written.
 *
 * **Fails** with `PermissionDenied`.
 */
export const checkPermission = (
  { capability, effect, touch }: Pick<RequiredPermission, "capability" | "effect" | "touch">,
  { files, network, policy }: Accesses
): Effect.Effect<void, unknown> =>
  Effect.suspend(() => {
    policy.check(capability, effect, targetOf(touch))
    if (touch === undefined) return Effect.void
    if ("path" in touch) return files.check(touch.effect === ":fs.read" ? "read" : "write", touch.path)
    if ("queue" in touch) policy.checkQueue(capability, touch.queue)
    else network.check(touch.host)
    return Effect.void
  }).pipe(Effect.catchDefect(Effect.fail))
