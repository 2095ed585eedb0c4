"""The real engine, faster: pure functions of textworld's PddlEnv are memoised. No rule and no text changes.

As shipped a step takes about 0.1 s, which is spent on parsing the same templates and conditions again and again.
"""
import copy, functools

import fast_downward
import textworld.envs.pddl.textgen as textgen
import textworld.logic as logic


def clone(symbol):
    """A fresh symbol: contexts are set on symbols after they were made."""
    if isinstance(symbol, list):
        return [clone(s) for s in symbol]
    fresh = copy.copy(symbol)
    fresh.context = {}
    if isinstance(symbol, textgen.ListSymbol):
        fresh.symbol = clone(symbol.symbol)
    if isinstance(symbol, textgen.ConditionalSymbol):
        fresh.expression = clone(symbol.expression)
    return fresh


parse = functools.lru_cache(None)(textgen._parse_and_convert)
textgen._parse_and_convert = lambda text, rule_name=None, trace=False: clone(parse(text, rule_name=rule_name))

parse_query = functools.lru_cache(None)(logic.Rule.parse_conjunctive_query)
logic.Rule.parse_conjunctive_query = staticmethod(lambda expression: parse_query(expression))


def copy_context(c):
    """Variables are never changed, so their dictionary alone is copied."""
    return {"state": c["state"], "facts": c["facts"], "variables": dict(c["variables"]), "mapping": dict(c["mapping"]),
            "entity_infos": c["entity_infos"]}


def copy_symbol(self, context):
    fresh = clone(self)
    fresh.context = copy_context(context)
    return fresh


def replace(self, start):
    rules = self._rules.get(str(start))
    if not rules:
        raise textgen.CSGUnknownSymbolError(start)
    for rule in rules:
        if rule.condition:
            query = logic.Rule.parse_conjunctive_query(rule.condition)
            if next(iter(start.context["state"].all_assignments(query, start.context["mapping"])), None) is None:
                continue
        symbols = clone(rule.rhs)
        for symbol in symbols:
            symbol.context = copy_context(start.context)
        return symbols
    raise IndexError("no rule applies")


textgen.copy_context = copy_context
textgen.Symbol.copy = copy_symbol
textgen.ContextSensitiveGrammar.replace = replace

translate = functools.lru_cache(16)(fast_downward.pddl2sas)
fast_downward.pddl2sas = lambda domain, problem, verbose=False, optimize=False: translate(domain, problem, False, optimize)
