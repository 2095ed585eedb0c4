package alfworld

import "strings"

// fits says which object types a receptacle type can hold
// (VAL_RECEPTACLE_OBJECTS of gen/constants.py, without the types of slices).
var fits = func() map[string]map[string]bool {
	table := make(map[string]map[string]bool, len(fitting))
	for receptacle, objects := range fitting {
		table[receptacle] = set(objects)
	}
	return table
}()

var fitting = map[string]string{
	"ArmChair":     seat,
	"BathtubBasin": "Cloth DishSponge HandTowel SoapBar",
	"Bed":          "BaseballBat BasketBall Book CellPhone Laptop Newspaper Pillow TennisRacket",
	"Cabinet": `
		Book Bowl Box CD Candle Cloth Cup DishSponge Glassbottle HandTowel Kettle Ladle Mug Newspaper Pan
		PepperShaker Plate Plunger Pot SaltShaker SoapBar SoapBottle SprayBottle TissueBox ToiletPaper
		ToiletPaperRoll Vase WateringCan WineBottle`,
	"Cart": `
		Candle Cloth DishSponge HandTowel Mug PaperTowel Plunger SoapBar SoapBottle SprayBottle Statue
		TissueBox ToiletPaper ToiletPaperRoll Vase`,
	"CoffeeMachine": "Mug",
	"CounterTop":    tabletop,
	"CoffeeTable":   tabletop,
	"DiningTable":   tabletop,
	"SideTable":     tabletop,
	"Desk": `
		AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup Glassbottle KeyChain
		Laptop Mug Newspaper Pen Pencil Plate RemoteControl SoapBottle SprayBottle Statue TennisRacket
		TissueBox ToiletPaper ToiletPaperRoll Vase Watch WateringCan WineBottle`,
	"Drawer": `
		Book ButterKnife CD Candle CellPhone Cloth CreditCard DishSponge Fork HandTowel KeyChain Knife
		Ladle Newspaper Pen Pencil PepperShaker RemoteControl SaltShaker SoapBar SoapBottle Spatula Spoon
		SprayBottle TissueBox ToiletPaper ToiletPaperRoll Watch WateringCan`,
	"Dresser": `
		AlarmClock BasketBall Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup Glassbottle KeyChain
		Laptop Mug Newspaper Pen Pencil Plate RemoteControl SprayBottle Statue TennisRacket TissueBox
		ToiletPaper ToiletPaperRoll Vase Watch WateringCan WineBottle`,
	"Fridge": `
		Apple Bowl Bread Cup Egg Glassbottle Lettuce Mug Pan Plate Pot Potato Tomato WineBottle`,
	"GarbageCan": `
		Apple Bread CD Cloth DishSponge Egg HandTowel Lettuce Newspaper PaperTowel Pen Pencil Potato
		SoapBar SoapBottle SprayBottle TissueBox ToiletPaper ToiletPaperRoll Tomato WineBottle`,
	"HandTowelHolder": "HandTowel",
	"LaundryHamper":   "Cloth",
	"Microwave":       "Apple Bowl Bread Cup Egg Glassbottle Mug Plate Potato Tomato",
	"Ottoman":         seat,
	"Safe":            "CD CellPhone CreditCard KeyChain Statue Vase Watch",
	"Shelf": `
		AlarmClock Book Bowl Box CD Candle CellPhone Cloth CreditCard Cup DishSponge Glassbottle
		HandTowel Kettle KeyChain Mug Newspaper PaperTowel Pen Pencil PepperShaker Plate Pot
		RemoteControl SaltShaker SoapBar SoapBottle SprayBottle Statue TissueBox ToiletPaper
		ToiletPaperRoll Vase Watch WateringCan WineBottle`,
	"SinkBasin": `
		Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Glassbottle HandTowel Kettle Knife Ladle
		Lettuce Mug Pan Plate Pot Potato SoapBar Spatula Spoon Tomato`,
	"Sofa":        seat,
	"StoveBurner": "Kettle Pan Pot",
	"TVStand":     "TissueBox",
	"Toaster":     "",
	"Toilet": `
		Candle Cloth DishSponge HandTowel Newspaper PaperTowel SoapBar SoapBottle SprayBottle TissueBox
		ToiletPaper ToiletPaperRoll`,
	"ToiletPaperHanger": "ToiletPaper ToiletPaperRoll",
	"TowelHolder":       "Towel",
}

const (
	seat     = "BasketBall Book Box CellPhone Cloth CreditCard KeyChain Laptop Newspaper Pillow RemoteControl"
	tabletop = `
		AlarmClock Apple BaseballBat BasketBall Book Bowl Box Bread ButterKnife CD Candle CellPhone Cloth
		CreditCard Cup DishSponge Egg Fork Glassbottle HandTowel Kettle KeyChain Knife Ladle Laptop
		Lettuce Mug Newspaper Pan PaperTowel Pen Pencil PepperShaker Plate Pot Potato RemoteControl
		SaltShaker SoapBar SoapBottle Spatula Spoon SprayBottle Statue TennisRacket TissueBox ToiletPaper
		ToiletPaperRoll Tomato Vase Watch WateringCan WineBottle`
)

// What can be done to an object type (VAL_ACTION_OBJECTS, MOVABLE_RECEPTACLES_SET)
// and which receptacles open (OPENABLE_CLASS_LIST).
var (
	heatable  = set("Apple Bread Cup Egg Mug Plate Potato Tomato")
	coolable  = set("Apple Bowl Bread Cup Egg Lettuce Mug Pan Plate Pot Potato Tomato WineBottle")
	cleanable = set(`Apple Bowl ButterKnife Cloth Cup DishSponge Egg Fork Kettle Knife Ladle Lettuce Mug Pan
		Plate Pot Potato SoapBar Spatula Spoon Tomato`)
	toggleable = set("DeskLamp FloorLamp")
	sliceable  = set("Apple Bread Egg Lettuce Potato Tomato")
	container  = set("Bowl Box Cup Mug Pan Plate Pot")
	openable   = set("Cabinet Drawer Fridge Microwave Safe")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}
