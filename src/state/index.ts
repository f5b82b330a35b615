export { certificateProblem, takeAuthority, trustOf } from "./certificates.ts"
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
export { openQueueBackend, queueSchemes } from "./queues/openQueueBackend.ts"
export { deadLetterType } from "./queues/LeasedLetters.ts"
export { deadLetterHeaders, deadMessageOf } from "./queues/deadMessage.ts"
export type { MessageSelection, QueueContent, StoredMessages } from "./queues/StoredMessages.ts"
export type { Delivery, NewMessage, QueueBackend, QueueDepth, QueueSubscription } from "./queues/QueueBackend.ts"
export { QueueFailure } from "./queues/QueueFailure.ts"
