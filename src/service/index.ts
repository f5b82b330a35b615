export { ServiceFailure, TokenRefused } from "./errors.ts"
export { type ServiceOptions, startService, type StreamService } from "./startService.ts"
export type { Reloaded } from "./ServicePrograms.ts"
export { defaultTokenFile } from "./Token.ts"
