package alfworld

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// pddl writes p as an initial_state.pddl, which the real ALFWorld plays.
func (p *Problem) pddl() string {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	id := func(s string) string { return mangler.Replace(s) }
	location := func(n int) string { return id(p.Locations[n]) }
	receptacleTypes := map[string]bool{"SinkBasin": true, "Microwave": true, "Fridge": true}
	objectTypes := map[string]bool{"Knife": true, "ButterKnife": true, p.Goal.Object: true}
	for _, r := range p.Receptacles {
		receptacleTypes[r.Type] = true
	}
	for _, o := range p.Objects {
		objectTypes[o.Type] = true
	}
	rtypes, otypes := slices.Sorted(maps.Keys(receptacleTypes)), slices.Sorted(maps.Keys(objectTypes))

	say("(define (problem plan)\n(:domain alfred)\n(:objects\nagent1 - agent")
	for _, t := range otypes {
		say("%sType - otype", t)
	}
	for _, t := range rtypes {
		say("%sType - rtype", t)
	}
	for l := range p.Locations {
		say("%s - location", location(l))
	}
	for _, r := range p.Receptacles {
		say("%s - receptacle", id(r.ID))
	}
	for _, o := range p.Objects {
		say("%s - object", id(o.ID))
	}
	say(")\n(:init\n(atLocation agent1 %s)", location(p.Agents[0].Location))
	for _, r := range p.Receptacles {
		say("(receptacleType %s %sType)\n(receptacleAtLocation %s %s)", id(r.ID), r.Type,
			id(r.ID), location(r.Location))
		if r.Openable {
			say("(openable %s)", id(r.ID))
		}
		if r.Opened {
			say("(opened %s)", id(r.ID))
		}
	}
	for _, r := range rtypes {
		for _, o := range otypes {
			if p.Fits[r][o] {
				say("(canContain %sType %sType)", r, o)
			}
		}
	}
	for _, o := range p.Objects {
		say("(objectType %s %sType)\n(inReceptacle %s %s)\n(objectAtLocation %s %s)", id(o.ID), o.Type,
			id(o.ID), id(p.Receptacles[o.In[0]].ID), id(o.ID), location(o.At[0]))
		for can, name := range map[Affordance]string{
			Pickupable: "pickupable", Toggleable: "toggleable", Cleanable: "cleanable", Heatable: "heatable",
			Coolable: "coolable", Sliceable: "sliceable", Container: "isReceptacleObject",
		} {
			if o.Can&can != 0 {
				say("(%s %s)", name, id(o.ID))
			}
		}
	}
	say(")\n(:goal %s)\n)", p.Goal.fill(goals[p.Goal.Type]))
	return b.String()
}
