import type { ActorDefinition } from "./Actor.ts"
import { FanInInput } from "./FanInInput.ts"
import type { IslandInput } from "./IslandInput.ts"
import { MailboxInput } from "./MailboxInput.ts"
import { SourceInput } from "./SourceInput.ts"

/** Where the items of an island come from. */
export const inputOf = ({ input }: ActorDefinition): IslandInput => {
  if (!("mailbox" in input)) return new SourceInput(input.source)
  return input.fanIn === undefined ? new MailboxInput(input) : new FanInInput(input, input.fanIn)
}
