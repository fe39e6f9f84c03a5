import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

/** What the rules look at in one file of src/. */
export interface SourceFile {
  /** From src/ on, with slashes: `pool/acquire.ts`. */
  readonly path: string;
  readonly lines: number;
  /** Every module named in an import, an export, a type or a `require`. */
  readonly imports: readonly string[];
  readonly exportsOfOthers: readonly string[];
  /** Members of `process` that are touched, such as `env`. */
  readonly processMembers: readonly string[];
  readonly functions: readonly { readonly name: string; readonly lines: number }[];
}

const SRC = fileURLToPath(new URL('../../src/', import.meta.url));

export function readSources(): SourceFile[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => parseSource(path.replaceAll('\\', '/'), readFileSync(join(SRC, path), 'utf8')));
}

export function parseSource(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const nodes = [...descendants(tree)];
  return {
    path,
    lines: text.split('\n').length - (text.endsWith('\n') ? 1 : 0),
    imports: nodes.flatMap(importedModules),
    exportsOfOthers: nodes.filter(ts.isExportDeclaration).flatMap(({ moduleSpecifier }) => textOf(moduleSpecifier)),
    processMembers: nodes.flatMap(processMembers),
    functions: nodes.filter(isFunction).map((node) => ({ name: nameOf(node), lines: lineCount(node, tree) })),
  };
}

function* descendants(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* descendants(child);
}

/** Types count as imports, on purpose: who knows a type of a folder knows that folder. */
function importedModules(node: ts.Node): string[] {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return textOf(node.moduleSpecifier);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return textOf(node.argument.literal);
  if (ts.isCallExpression(node) && isLoader(node.expression)) return textOf(node.arguments[0]);
  return [];
}

/** `import(…)`, `require(…)`, `require.resolve(…)` and `import.meta.resolve(…)`. */
function isLoader(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || /^(require|require\.resolve|import\.meta\.resolve)$/.test(callee.getText());
}

function textOf(literal: ts.Node | undefined): string[] {
  return literal !== undefined && ts.isStringLiteralLike(literal) ? [literal.text] : [];
}

function processMembers(node: ts.Node): string[] {
  if (ts.isPropertyAccessExpression(node) && isProcess(node.expression)) return [node.name.text];
  if (ts.isElementAccessExpression(node) && isProcess(node.expression)) return textOf(node.argumentExpression);
  if (ts.isVariableDeclaration(node) && node.initializer !== undefined && isProcess(node.initializer)) {
    return ts.isObjectBindingPattern(node.name) ? node.name.elements.map(({ propertyName, name }) => (propertyName ?? name).getText()) : ['*'];
  }
  return [];
}

function isProcess(expression: ts.Expression): boolean {
  const text = expression.getText();
  return text === 'globalThis.process' || (text === 'process' && !isLocalName(expression, 'process'));
}

/** A child process in a variable of that name is not the process. */
function isLocalName(node: ts.Node, name: string): boolean {
  for (let scope = node.parent as ts.Node | undefined; scope !== undefined; scope = scope.parent as ts.Node | undefined) {
    if (ts.isFunctionLike(scope) && scope.parameters.some((parameter) => parameter.name.getText() === name)) return true;
    if (ts.isBlock(scope) && scope.statements.some((statement) => declares(statement, name))) return true;
  }
  return false;
}

function declares(statement: ts.Statement, name: string): boolean {
  return ts.isVariableStatement(statement) && statement.declarationList.declarations.some((declaration) => declaration.name.getText() === name);
}

type WithBody = ts.FunctionLikeDeclaration & { readonly body: ts.Node }

function isFunction(node: ts.Node): node is WithBody {
  return ts.isFunctionLike(node) && 'body' in node && node.body !== undefined;
}

function nameOf(node: WithBody): string {
  if (node.name !== undefined) return node.name.getText();
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  return ts.isVariableDeclaration(node.parent) || ts.isPropertyAssignment(node.parent) ? node.parent.name.getText() : '(a function without a name)';
}

function lineCount(node: ts.Node, tree: ts.SourceFile): number {
  const lineOf = (position: number): number => tree.getLineAndCharacterOfPosition(position).line;
  return lineOf(node.getEnd()) - lineOf(node.getStart()) + 1;
}
