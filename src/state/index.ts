export { StoreFailure, StreamFenced, StreamInUse } from "./errors.ts"
export type {
  DeadLetterStore,
  NewCheckpoint,
  NewDeadLetter,
  OwnedStream,
  StateStore,
  StoredCheckpoint,
  StoredDeadLetter
} from "./StateStore.ts"
