export { fromStream, HostFailure, StreamHost } from "./host/effect.ts"
export { Flow, FileFlow, type HostOptions, type PolicyOptions, type RunOptions, type RunReport, type SpawnOptions } from "./host/index.ts"
export { Keyword, keyword } from "./serialization/index.ts"
