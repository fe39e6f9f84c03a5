import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const TYPESCRIPT = ['**/*.ts'];
const PLAIN_SCRIPTS = ['**/*.js', '**/*.cjs', '**/*.mjs'];

export default defineConfig(
  // What others wrote or a tool made.
  { ignores: ['dist/', 'node_modules/', '.runtime/', 'coverage/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },

  {
    files: TYPESCRIPT,
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['vitest.config.ts'] } } },
    rules: {
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-import-type-side-effects': 'error',
      '@typescript-eslint/promise-function-async': 'off', // A function that only passes a promise on needs no `async`.
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }], // A written default is a decision.
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/prefer-readonly': 'error',
      '@typescript-eslint/require-await': 'off', // A method may be async because its interface is.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }], // A number prints as itself.
      '@typescript-eslint/no-confusing-void-expression': 'off', // `() => server.close()` reads well.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }], // Express counts the parameters of an error handler.
      '@typescript-eslint/no-unnecessary-type-conversion': 'off', // What a driver's row calls a number may arrive as text.
      'semi': 'error',
      'eqeqeq': 'error',
      'no-empty': 'error',
      'no-param-reassign': 'error',
      'no-return-assign': 'error',
      'object-shorthand': 'error',
      'prefer-const': 'error',
      'no-restricted-syntax': ['error',
        { selector: 'ExportDefaultDeclaration', message: 'Named exports only: a name is the same wherever it is used.' },
        { selector: 'ExportAllDeclaration', message: 'No barrels: import from the file that has it.' },
      ],
    },
  },

  {
    files: ['src/**/*.ts'],
    rules: {
      'no-console': 'error',
      'max-lines': ['error', { max: 250, skipBlankLines: false, skipComments: false }],
      'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
      'max-depth': ['error', 3],
      'complexity': ['error', { max: 15, variant: 'modified' }], // A switch counts once, however long its table.
    },
  },

  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      '@typescript-eslint/no-non-null-assertion': 'off', // A test that finds nothing there fails at that line, as it should.
      '@typescript-eslint/no-dynamic-delete': 'off', // Answers with a field missing are made by leaving it out.
      '@typescript-eslint/explicit-module-boundary-types': 'off', // Nobody compiles against a test.
    },
  },

  {
    // The tools that read the first two ask for a default export; a declaration file repeats what another package exports.
    files: ['vitest.config.ts', 'test/launch/summary-reporter.ts', '**/*.d.ts'],
    rules: { 'no-restricted-syntax': 'off' },
  },

  {
    // Read by whatever Node a machine has, so they are kept in an old style that modern rules would rewrite.
    files: PLAIN_SCRIPTS,
    rules: { 'semi': 'error', 'no-undef': 'off', 'no-unused-vars': 'error', 'eqeqeq': 'error', 'no-unreachable': 'error', 'no-redeclare': 'error' },
  },
  {
    files: ['**/*.cjs'],
    languageOptions: { sourceType: 'commonjs', ecmaVersion: 5 }, // A syntax Node 8 cannot read is an error.
  },
);
