/** The gateway as a process: its ready line, its signals and its end. */
import { openLog } from './log.ts';
import { type ServeOptions, startGateway } from './main.ts';
import { watchConfig } from './watch.ts';

/** What `postern serve` does: starts, says where it listens, and answers signals until it is told to go. */
export async function serve(options: ServeOptions): Promise<void> {
  const log = options.log ?? openLog();
  const running = await startGateway({ ...options, log });
  const { listen, admin, health, bootstrapFile: file } = running;
  const first = file === null ? {} : { bootstrap_token_file: file };
  process.on('SIGHUP', () => void running.reload());
  if (options.watch === true) {
    watchConfig(options.configFile, running.config().policy.version, () => void running.reload());
  }
  const leave = (signal: string): void => {
    if (running.life.phase !== 'serving') process.exit(1);
    log.info({ event: 'draining', signal });
    running.stop().then(
      () => {
        log.flush(() => process.exit(0));
        // A reader that stands still must not keep us.
        setTimeout(() => process.exit(0), 2000);
      },
      () => process.exit(1),
    );
  };
  process.on('SIGTERM', () => leave('SIGTERM'));
  process.on('SIGINT', () => leave('SIGINT'));
  // Whoever reads this line may signal at once.
  process.stdout.write(`${JSON.stringify({ event: 'ready', listen, admin, health, ...first })}\n`);
  for (const warning of running.config().warnings) log.warn({ event: 'config_warning', ...warning });
}
