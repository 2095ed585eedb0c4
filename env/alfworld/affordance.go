package alfworld

import "strings"

// fits says which object types a receptacle type can hold
// (VAL_RECEPTACLE_OBJECTS of gen/constants.py, without the types of slices).
var fits = map[string]map[string]bool{
	"ArmChair":     set(seat),
	"BathtubBasin": set("Cloth DishSponge HandTowel SoapBar"),
	"Bed":          set("BaseballBat BasketBall Book CellPhone Laptop Newspaper Pillow TennisRacket"),
	"Cabinet": set(`
		Book Bowl Box CD Candle Cloth Cup DishSponge Glassbottle HandTowel Kettle Ladle Mug Newspaper Pan
		PepperShaker Plate Plunger Pot SaltShaker SoapBar SoapBottle SprayBottle TissueBox ToiletPaper
		ToiletPaperRoll Vase WateringCan WineBottle`),
	"Cart": set(`
		Candle Cloth DishSponge HandTowel Mug PaperTowel Plunger SoapBar SoapBottle SprayBottle Statue TissueBox
		ToiletPaper ToiletPaperRoll Vase`),
	"CoffeeMachine": set("Mug"),
	"CounterTop":    set(tabletop),
	"CoffeeTable":   set(tabletop),
	"DiningTable":   set(tabletop),
	"SideTable":     set(tabletop),
	"Desk": set(`
		AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup Glassbottle KeyChain Laptop
		Mug Newspaper Pen Pencil Plate RemoteControl SoapBottle SprayBottle Statue TennisRacket TissueBox
		ToiletPaper ToiletPaperRoll Vase Watch WateringCan WineBottle`),
	"Drawer": set(`
		Book ButterKnife CD Candle CellPhone Cloth CreditCard DishSponge Fork HandTowel KeyChain Knife Ladle
		Newspaper Pen Pencil PepperShaker RemoteControl SaltShaker SoapBar SoapBottle Spatula Spoon SprayBottle
		TissueBox ToiletPaper ToiletPaperRoll Watch WateringCan`),
	"Dresser": set(`
		AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup Glassbottle KeyChain Laptop
		Mug Newspaper Pen Pencil Plate RemoteControl SprayBottle Statue TennisRacket TissueBox ToiletPaper
		ToiletPaperRoll Vase Watch WateringCan WineBottle`),
	"Fridge": set(`
		Apple Bowl Bread Cup Egg Glassbottle Lettuce Mug Pan Plate Pot Potato Tomato WineBottle`),
	"GarbageCan": set(`
		Apple Bread CD Cloth DishSponge Egg HandTowel Lettuce Newspaper PaperTowel Pen Pencil Potato SoapBar
		SoapBottle SprayBottle TissueBox ToiletPaper ToiletPaperRoll Tomato WineBottle`),
	"HandTowelHolder": set("HandTowel"),
	"LaundryHamper":   set("Cloth"),
	"Microwave":       set("Apple Bowl Bread Cup Egg Glassbottle Mug Plate Potato Tomato"),
	"Ottoman":         set(seat),
	"Safe":            set("CD CellPhone CreditCard KeyChain Statue Vase Watch"),
	"Shelf": set(`
		AlarmClock Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup DishSponge Glassbottle HandTowel Kettle
		KeyChain Mug Newspaper PaperTowel Pen Pencil PepperShaker Plate Pot RemoteControl SaltShaker SoapBar
		SoapBottle SprayBottle Statue TissueBox ToiletPaper ToiletPaperRoll Vase Watch WateringCan WineBottle`),
	"SinkBasin": set(`
		Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Glassbottle HandTowel Kettle Knife Ladle Lettuce Mug
		Pan Plate Pot Potato SoapBar Spatula Spoon Tomato`),
	"Sofa":        set(seat),
	"StoveBurner": set("Kettle Pan Pot"),
	"TVStand":     set("TissueBox"),
	"Toaster":     set(""),
	"Toilet": set(`
		Candle Cloth DishSponge HandTowel Newspaper PaperTowel SoapBar SoapBottle SprayBottle TissueBox ToiletPaper
		ToiletPaperRoll`),
	"ToiletPaperHanger": set("ToiletPaper ToiletPaperRoll"),
	"TowelHolder":       set("Towel"),
}

const (
	seat     = "BasketBall Book Box CellPhone Cloth CreditCard KeyChain Laptop Newspaper Pillow RemoteControl"
	tabletop = `
		AlarmClock Apple BaseballBat BasketBall Book Bowl Box Bread ButterKnife CD Candle CellPhone Cloth
		CreditCard Cup DishSponge Egg Fork Glassbottle HandTowel Kettle KeyChain Knife Ladle Laptop Lettuce Mug
		Newspaper Pan PaperTowel Pen Pencil PepperShaker Plate Pot Potato RemoteControl SaltShaker SoapBar
		SoapBottle Spatula Spoon SprayBottle Statue TennisRacket TissueBox ToiletPaper ToiletPaperRoll Tomato Vase
		Watch WateringCan WineBottle`
)

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
