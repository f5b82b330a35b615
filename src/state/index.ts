export { type DataDirectory, takeDataDirectory } from "./DataDirectory.ts"
export { DataDirectoryInUse, StoreFailure, StreamFenced, StreamInUse } from "./errors.ts"
export { openStateStore, problemOfStoreUrl, type StoreOptions } from "./openStateStore.ts"
export type {
  DeadLetterStore,
  Durability,
  NewCheckpoint,
  NewDeadLetter,
  OwnedStream,
  StateStore,
  StoredCheckpoint,
  StoredDeadLetter
} from "./StateStore.ts"
