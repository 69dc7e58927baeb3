/** One line for each command that its --help ends with. */
import type { Command } from 'commander';

const examples: Readonly<Record<string, string>> = {
  serve: 'serve --config gateway.config.yaml --watch',
  demo: 'demo --port 0',
  check: 'check --config gateway.config.yaml',
  matrix: 'matrix --config gateway.config.yaml --check docs/matrix.md',
  diff: 'diff gateway.config.yaml next.config.yaml --strict',
  explain: 'explain GET /items --as service:items:read',
  reload: 'reload --url http://127.0.0.1:8081',
  'token create':
    'token create --type service --scope items:read --attribute tenant=acme --label "build server"',
  'token list': 'token list --type service --attribute tenant=acme',
  'token show': 'token show tok_01JZ2QW7M4',
  'token revoke': 'token revoke tok_01JZ2QW7M4 --reason "lost laptop"',
  'token rotate': 'token rotate tok_01JZ2QW7M4 --overlap 24h',
  'token regenerate': 'token regenerate --type service --attribute tenant=acme --grace 1h',
  'token update': 'token update tok_01JZ2QW7M4 --label "build server" --no-expiry',
  'token disable': 'token disable tok_01JZ2QW7M4',
  'token enable': 'token enable tok_01JZ2QW7M4',
  'token purge': 'token purge --before 180d --dry-run',
  'token export': 'token export --type service > tokens.jsonl',
  'token import': 'token import --file rows.jsonl --dry-run',
  'pin list': 'pin list --subject project=prj_a',
  'pin show': 'pin show app project=prj_a',
  'pin set': 'pin set app project=prj_a com.example.app',
  'pin reset': 'pin reset app project=prj_a --reason "new app id"',
  'pin import': 'pin import --file pins.jsonl',
  'probe activate': "probe activate --for prj_a --label-pattern 'payment.*' --ttl-seconds 600",
  'probe list': 'probe list --for prj_a',
  'probe deactivate': 'probe deactivate --for prj_a 550e8400-e29b-41d4-a716-446655440000',
  usage: 'usage --by route --since 7d',
  tail: 'tail --url http://127.0.0.1:8081 --refusals',
  alerts: 'alerts --open',
  'alerts ack': 'alerts ack alr_01KE7D2Q3Z',
  'audit list': 'audit list --subject tok_01JZ2QW7M4',
  'audit verify': 'audit verify',
  'audit purge': 'audit purge --before 365d',
  scan: 'scan . --history --exclude node_modules',
  mcp: 'mcp --config gateway.config.yaml --allow read,propose',
  'operator hash': 'operator hash',
  login: 'login --url http://127.0.0.1:8081 < data/bootstrap-token',
  whoami: 'whoami',
  logout: 'logout',
};

export function addExamples(program: Command, path: readonly string[] = []): void {
  for (const command of program.commands) {
    const words = [...path, command.name()];
    const example = examples[words.join(' ')];
    if (example !== undefined) command.addHelpText('after', `\nExample:\n  postern ${example}`);
    addExamples(command, words);
  }
}
