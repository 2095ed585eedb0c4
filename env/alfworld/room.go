package alfworld

// room is a kind of floor plan. ALFRED has 30 floor plans of each kind.
type room struct {
	name        string
	receptacles []furnishing
	// objects says in how many of the 30 floor plans a type occurs: "Apple:30".
	objects string
}

// furnishing says how many receptacles of a type a room has: "0x14 1x12 2x3" is none
// in 14 of the 30 floor plans, one in 12, two in 3.
type furnishing struct{ kind, counts string }

// rooms is counted from the floor plans of gen/layouts.
var rooms = [...]room{
	{
		name: "kitchen",
		receptacles: []furnishing{
			{"Cabinet", "2x1 3x1 4x3 5x1 6x2 8x3 9x4 10x1 11x1 13x4 15x2 17x1 18x1 20x2 21x2 28x1"},
			{"CoffeeMachine", "1x30"},
			{"CounterTop", "1x6 2x11 3x10 4x3"},
			{"DiningTable", "0x14 1x12 2x3 3x1"},
			{"Drawer", "0x2 1x6 2x1 3x6 4x3 5x3 6x2 7x1 8x2 9x1 11x1 12x1 27x1"},
			{"Fridge", "1x30"},
			{"GarbageCan", "1x30"},
			{"Microwave", "1x30"},
			{"Safe", "0x29 1x1"},
			{"Shelf", "0x25 2x1 3x4"},
			{"SideTable", "0x27 1x3"},
			{"SinkBasin", "1x30"},
			{"StoveBurner", "4x30"},
			{"Toaster", "1x30"},
		},
		objects: `
			Apple:30 Book:2 Bowl:30 Bread:30 ButterKnife:29 CellPhone:4 CreditCard:3 Cup:30 DishSponge:30 Egg:30
			Fork:30 Glassbottle:7 Kettle:15 Knife:30 Ladle:10 Lettuce:30 Mug:30 Pan:30 Pen:2 Pencil:2
			PepperShaker:30 Plate:30 Pot:30 Potato:30 SaltShaker:30 SoapBottle:30 Spatula:30 Spoon:30 SprayBottle:2
			Statue:4 Tomato:30 Vase:4 WineBottle:10`,
	},
	{
		name: "living room",
		receptacles: []furnishing{
			{"ArmChair", "0x3 1x18 2x8 3x1"},
			{"Cabinet", "0x26 1x1 4x2 8x1"},
			{"CoffeeTable", "0x5 1x19 2x6"},
			{"Desk", "0x29 1x1"},
			{"DiningTable", "0x16 1x11 2x3"},
			{"Drawer", "0x7 1x6 2x1 3x1 4x5 5x1 6x3 7x3 8x1 12x1 19x1"},
			{"Dresser", "0x20 1x9 2x1"},
			{"GarbageCan", "1x30"},
			{"Ottoman", "0x26 1x4"},
			{"Safe", "0x28 1x2"},
			{"Shelf", "0x18 1x2 3x1 4x2 6x1 8x3 12x1 13x1 14x1"},
			{"SideTable", "0x6 1x11 2x7 3x5 5x1"},
			{"Sofa", "1x24 2x6"},
			{"TVStand", "0x18 1x10 2x2"},
		},
		objects: `
			Book:7 Bowl:4 Box:30 Candle:3 CellPhone:7 CreditCard:30 DeskLamp:7 FloorLamp:30 KeyChain:30 Laptop:30
			Newspaper:18 Pen:5 Pencil:4 Pillow:30 Plate:10 RemoteControl:30 Statue:29 TissueBox:9 Vase:18 Watch:16
			WateringCan:13`,
	},
	{
		name: "bedroom",
		receptacles: []furnishing{
			{"ArmChair", "0x24 1x4 2x1 3x1"},
			{"Bed", "1x26 2x4"},
			{"Cabinet", "0x25 1x1 2x1 4x3"},
			{"CoffeeTable", "0x29 1x1"},
			{"CounterTop", "0x29 1x1"},
			{"Desk", "0x11 1x16 2x3"},
			{"DiningTable", "0x25 1x5"},
			{"Drawer", "0x1 1x2 2x8 3x5 4x1 5x2 6x1 7x2 10x3 11x2 13x1 14x2"},
			{"Dresser", "0x15 1x13 2x2"},
			{"GarbageCan", "1x30"},
			{"LaundryHamper", "0x22 1x8"},
			{"Safe", "0x25 1x5"},
			{"Shelf", "0x10 1x6 2x4 3x2 4x1 5x2 6x1 8x2 10x1 14x1"},
			{"SideTable", "0x11 1x14 2x5"},
		},
		objects: `
			AlarmClock:30 BaseballBat:13 BasketBall:11 Book:30 Bowl:13 Box:12 CD:30 CellPhone:30 Cloth:5
			CreditCard:30 DeskLamp:20 KeyChain:30 Laptop:30 Mug:16 Pen:30 Pencil:30 Pillow:30 RemoteControl:3
			Statue:4 TennisRacket:10 TissueBox:4 Vase:3 Watch:2`,
	},
	{
		name: "bathroom",
		receptacles: []furnishing{
			{"BathtubBasin", "0x9 1x21"},
			{"Cabinet", "0x15 2x1 3x2 4x9 5x2 9x1"},
			{"Cart", "0x28 1x2"},
			{"CounterTop", "0x5 1x22 2x3"},
			{"Drawer", "0x15 1x5 2x1 4x3 6x2 7x2 8x2"},
			{"Dresser", "0x28 1x2"},
			{"GarbageCan", "1x30"},
			{"HandTowelHolder", "1x29 2x1"},
			{"Shelf", "0x22 1x4 2x2 3x1 4x1"},
			{"SideTable", "0x28 1x2"},
			{"SinkBasin", "1x17 2x13"},
			{"Toilet", "1x30"},
			{"ToiletPaperHanger", "1x30"},
			{"TowelHolder", "1x29 2x1"},
		},
		objects: `
			Candle:30 Cloth:30 DishSponge:6 FloorLamp:2 HandTowel:30 Plunger:30 SoapBar:30 SoapBottle:30
			SprayBottle:30 TissueBox:9 ToiletPaper:30 Towel:30`,
	},
}

// Indices of rooms.
const (
	kitchen = iota
	livingRoom
	bedroom
	bathroom
)
