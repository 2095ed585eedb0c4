package alfworld

import (
	_ "embed"
	"strings"
)

//go:embed data/fits.txt
var fitsText string

// fits says which object types a receptacle type can hold.
var fits = readFits()

func readFits() map[string]map[string]bool {
	fits := map[string]map[string]bool{}
	for kinds, objects := range rows(fitsText) {
		for kind := range strings.SplitSeq(kinds, ", ") {
			fits[kind] = set(objects)
		}
	}
	return fits
}

// openable are the receptacles that open (OPENABLE_CLASS_LIST).
var openable = set("Cabinet Drawer Fridge Microwave Safe")

// able says what can be done to which object types (VAL_ACTION_OBJECTS, MOVABLE_RECEPTACLES_SET).
var able = map[Affordance]map[string]bool{
	Heatable: set("Apple Bread Cup Egg Mug Plate Potato Tomato"),
	Coolable: set("Apple Bowl Bread Cup Egg Lettuce Mug Pan Plate Pot Potato Tomato WineBottle"),
	Cleanable: set(`Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Kettle Knife Ladle Lettuce Mug Pan
		Plate Pot Potato SoapBar Spatula Spoon Tomato`),
	Toggleable: set("DeskLamp FloorLamp"),
	Sliceable:  set("Apple Bread Egg Lettuce Potato Tomato"),
	Container:  set("Bowl Box Cup Mug Pan Plate Pot"),
}

// affordances returns what ALFRED lets one do to an object type.
func affordances(kind string) (can Affordance) {
	for a, kinds := range able {
		if kinds[kind] {
			can |= a
		}
	}
	if can&Toggleable == 0 {
		can |= Pickupable
	}
	return can
}

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
